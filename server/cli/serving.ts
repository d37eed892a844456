import type { Mode } from "../config.ts";
import { ConfigError } from "../config.ts";
import { serve } from "../main.ts";
import { type Call, type Command, CommandError, textOption } from "./command.ts";

/** `galley dev` and `galley start` differ in their mode alone. */
export function servingCommand(name: string, mode: Mode, what: string): Command {
  return {
    usage: `${name} [--host <address>] [--port <port>]`,
    help: `${what}

  --host <address>   where to listen (else GALLEY_HOST, else 127.0.0.1)
  --port <port>      where to listen (else GALLEY_PORT, else 4600); 0 takes any free one

docs/configuration.md lists every variable.`,
    positionals: 0,
    options: { host: { type: "string" }, port: { type: "string" } },
    run: (call) => run(call, mode),
  };
}

async function run(call: Call, mode: Mode): Promise<void> {
  const flags = Object.fromEntries(["host", "port", "data-dir"].map((flag) => [flag, textOption(call, flag)]));
  try {
    await serve({ mode, flags, env: call.env, terminal: process.stdout.isTTY === true });
  } catch (error) {
    // What stops a start is told in one line; a defect keeps its stack.
    if (error instanceof ConfigError || (error as { code?: unknown }).code !== undefined) {
      throw new CommandError((error as Error).message);
    }
    throw error;
  }
}
