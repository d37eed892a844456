/** Every benchmark, in the order of benchmarks.md. */
import type { Workload } from "./harness/report.ts";
import { evaluate } from "./workloads/evaluate.ts";
import { footprint } from "./workloads/footprint.ts";
import { insert } from "./workloads/insert.ts";
import { ledger } from "./workloads/ledger.ts";
import { page } from "./workloads/page.ts";
import { read } from "./workloads/read.ts";
import { soak } from "./workloads/soak.ts";

export const WORKLOADS: readonly Workload[] = [evaluate, read, insert, page, footprint, ledger, soak];
