/** Every benchmark, in the order of benchmarks.md. */
import type { Workload } from "./harness/report.ts";
import { barrier } from "./workloads/barrier.ts";
import { enumeration } from "./workloads/enumeration.ts";
import { evaluate } from "./workloads/evaluate.ts";
import { fanOut } from "./workloads/fan-out.ts";
import { footprint } from "./workloads/footprint.ts";
import { hidden } from "./workloads/hidden.ts";
import { importCities } from "./workloads/import.ts";
import { insert } from "./workloads/insert.ts";
import { latency } from "./workloads/latency.ts";
import { ledger } from "./workloads/ledger.ts";
import { liveChecker } from "./workloads/live-checker.ts";
import { match } from "./workloads/match.ts";
import { mixed } from "./workloads/mixed.ts";
import { page } from "./workloads/page.ts";
import { profile } from "./workloads/profile.ts";
import { race } from "./workloads/race.ts";
import { read } from "./workloads/read.ts";
import { rules } from "./workloads/rules.ts";
import { sdk } from "./workloads/sdk.ts";
import { selective } from "./workloads/selective.ts";
import { signIn } from "./workloads/sign-in.ts";
import { soak } from "./workloads/soak.ts";
import { storm } from "./workloads/storm.ts";
import { token } from "./workloads/token.ts";
import { twoWorlds } from "./workloads/two-worlds.ts";
import { windows } from "./workloads/windows.ts";

export const WORKLOADS: readonly Workload[] = [
  evaluate,
  read,
  insert,
  page,
  mixed,
  match,
  fanOut,
  selective,
  windows,
  latency,
  rules,
  importCities,
  signIn,
  token,
  barrier,
  footprint,
  storm,
  sdk,
  race,
  enumeration,
  hidden,
  ledger,
  twoWorlds,
  liveChecker,
  soak,
  profile,
];
