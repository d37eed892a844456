/** Galleys as processes of their own, to be killed, stalled and stopped, each at an address that stays its own. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type ServerProcess, startGalley } from "../server-process.ts";
import type { Teardown } from "../teardown.ts";
import { until } from "../until.ts";

export interface KillableGalley {
  readonly url: string;
  readonly process: ServerProcess;
  /** kill -9, and started again. */
  restart(): Promise<void>;
  /** SIGTERM, and started again. */
  drain(): Promise<number | null>;
  start(): Promise<void>;
  /** Stalls it, without closing a connection. */
  stall(): void;
  resume(): void;
}

/** @param start a process on a folder and a port; Galley as it is built, by default */
export async function startKillable(
  t: Teardown,
  env: NodeJS.ProcessEnv,
  start: (folder: string, env: NodeJS.ProcessEnv) => Promise<ServerProcess> = startGalley,
): Promise<KillableGalley> {
  const folder = mkdtempSync(join(tmpdir(), "galley-live-"));
  // Tokens name the address of who gave them out, which is to be the same after a restart.
  const own = { ...env, GALLEY_PUBLIC_URL: "http://127.0.0.1" };
  let process = await start(folder, own);
  const { url } = process;
  const again = async () => {
    process = await start(folder, { ...own, GALLEY_PORT: new URL(url).port });
    await ready();
  };
  const ready = () => until(async () => (await fetch(`${url}/v1/ready`)).status === 200, 30, "a server that is ready");
  t.teardown(async () => {
    await process.end("SIGKILL");
    rmSync(folder, { recursive: true, force: true });
  });
  await ready();
  return {
    url,
    get process() {
      return process;
    },
    async restart() {
      await process.end("SIGKILL");
      await again();
    },
    drain: () => process.end("SIGTERM"),
    start: again,
    stall: () => void globalThis.process.kill(process.pid, "SIGSTOP"),
    resume: () => void globalThis.process.kill(process.pid, "SIGCONT"),
  };
}
