import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import { LOADER, ownModule } from "../support/own-modules.ts";

/** A `sqlite-child.ts` at work. */
export interface StoreProcess {
  /** What it has told so far. */
  readonly told: readonly unknown[];
  /** What it wrote about its end, if it failed. */
  readonly complaint: string;
  /** Waits for the next line that holds, or for the end of the process. */
  line(holds?: (line: unknown) => boolean): Promise<unknown>;
  /** Waits for a number of lines, or for the end of the process. */
  lines(count: number): Promise<void>;
  kill(): Promise<void>;
  /** Waits until it ends by itself. */
  ended(): Promise<number | null>;
}

const CHILD = fileURLToPath(ownModule("tests/contract/sqlite-child"));

/** @param wrap a command that runs the process, with its arguments; the process's own follow them */
export function startStoreProcess(task: string, folder: string, wrap: readonly string[] = []): StoreProcess {
  const own = [process.execPath, ...LOADER, CHILD, task, folder];
  const [command = "", ...args] = [...wrap, ...own];
  const child: ChildProcess = spawn(command, args, { stdio: ["ignore", "pipe", "pipe"] });
  const told: unknown[] = [];
  let complaint = "";
  let rest = "";
  let exit: number | null | undefined;
  let changed: () => void = () => undefined;
  child.stdout?.on("data", (chunk) => {
    const lines = (rest + chunk).split("\n");
    rest = lines.pop() ?? "";
    for (const line of lines) told.push(JSON.parse(line));
    changed();
  });
  child.stderr?.on("data", (chunk) => {
    complaint += chunk;
  });
  const closed = once(child, "close").then(([code]) => {
    exit = code as number | null;
    changed();
  });
  const change = () =>
    new Promise<void>((resolve) => {
      changed = resolve;
    });
  return {
    told,
    get complaint() {
      return complaint;
    },
    async line(holds = () => true) {
      for (let i = 0; ; ) {
        for (; i < told.length; i++) if (holds(told[i])) return told[i];
        if (exit !== undefined) throw new Error(`the process ended (${exit}): ${complaint}`);
        await change();
      }
    },
    async lines(count) {
      while (told.length < count && exit === undefined) await change();
    },
    async kill() {
      child.kill("SIGKILL");
      await closed;
    },
    async ended() {
      await closed;
      return exit ?? null;
    },
  };
}
