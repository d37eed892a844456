import { spawn } from "node:child_process";

/** Cleans up after this process, whatever ends it. */
export interface Guard {
  /** Which process to end then; a negative number stands for a whole group, undefined for none. */
  watch(pid: number | undefined): void;
  /** All was cleaned up without it. */
  end(): void;
}

/**
 * Ends a process and removes a folder if this process ends without having done so, even by SIGKILL: a shell reads from a
 * pipe which the system closes with us.
 */
export function guardFolder(folder: string): Guard {
  const script = [
    'pid=; while read -r line; do [ "$line" = done ] && exit; pid=$line; done',
    // Until it is gone it may still write; where nobody collects the dead it seems to be there for ever.
    'if [ -n "$pid" ]; then kill -9 "$pid"; n=0',
    'while kill -0 "$pid" && [ $n -lt 50 ]; do sleep 0.1; n=$((n + 1)); done; fi',
    'rm -rf "$1"',
  ].join("\n");
  const guard = spawn("sh", ["-c", script, "guard", folder], {
    stdio: ["pipe", "ignore", "ignore"],
    detached: true, // a Ctrl-C in the terminal must not end it before us
  });
  guard.unref();
  return {
    watch: (pid) => void guard.stdin.write(`${pid ?? ""}\n`),
    end: () => void guard.stdin.end("done\n"),
  };
}
