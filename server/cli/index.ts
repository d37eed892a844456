import { Console } from "node:console";
import { parseArgs } from "node:util";
import { type Call, type Command, CommandError, type Output } from "./command.ts";

const COMMANDS: readonly { name: string; summary: string; load: () => Promise<{ command: Command }> }[] = [
  { name: "dev", summary: "run Galley on this machine, in development mode", load: () => import("./dev.ts") },
  { name: "start", summary: "run Galley in production mode", load: () => import("./start.ts") },
  { name: "import", summary: "load documents from a JSON, NDJSON or CSV file", load: () => import("./import.ts") },
  { name: "export", summary: "write a collection's documents as NDJSON", load: () => import("./export.ts") },
  { name: "watch", summary: "follow a question's result as it changes", load: () => import("./watch.ts") },
  { name: "types", summary: "write TypeScript for the server's collections", load: () => import("./types.ts") },
  { name: "collections", summary: "list, create, show or drop collections", load: () => import("./collections.ts") },
  { name: "keys", summary: "create, list or revoke service keys", load: () => import("./keys.ts") },
  { name: "rules", summary: "test, publish and roll back access rules", load: () => import("./rules.ts") },
  { name: "admin", summary: "make an admin, or let one back in", load: () => import("./admin.ts") },
  {
    name: "doctor",
    summary: "check what this Galley needs: versions, stores, disk, clock",
    load: () => import("./doctor.ts"),
  },
];

const COMMON = {
  help: { type: "boolean", short: "h" },
  json: { type: "boolean" },
  url: { type: "string" },
  "data-dir": { type: "string" },
} as const;

/**
 * Runs one command line and resolves to the exit code: 0, 1 for a failure told in one line, 2 for a call that is not
 * understood.
 */
export async function runCommandLine(
  argv: readonly string[],
  env: NodeJS.ProcessEnv,
  version: string,
  output: Output = process,
): Promise<number> {
  const { log: print, error: warn } = new Console(output.stdout, output.stderr);
  const [name, ...rest] = argv;
  if (name === undefined || name === "--help" || name === "-h" || name === "help") {
    print(overview());
    return name === undefined ? 2 : 0;
  }
  if (name === "--version" || name === "-v") {
    print(version);
    return 0;
  }
  const entry = COMMANDS.find((c) => c.name === name);
  if (!entry) {
    warn(`galley: no command "${name}". Commands: ${COMMANDS.map((c) => c.name).join(", ")}`);
    return 2;
  }
  const { command } = await entry.load();
  let parsed: ReturnType<typeof parseArgs>;
  try {
    parsed = parseArgs({ args: rest, options: { ...COMMON, ...command.options }, allowPositionals: true });
  } catch (error) {
    warn(`galley ${name}: ${misread((error as Error).message)}`);
    return 2;
  }
  if (parsed.values.help) {
    print(`Usage: galley ${command.usage}\n\n${command.help.trim()}\n\n${COMMON_HELP}`);
    return 0;
  }
  const extra = parsed.positionals[command.positionals];
  if (extra !== undefined) {
    warn(`galley ${name}: expects no argument ${JSON.stringify(extra)}; usage: galley ${command.usage}`);
    return 2;
  }
  const values = parsed.values as Call["values"];
  const call: Call = { positionals: parsed.positionals, values, json: values.json === true, env, output, print, warn };
  try {
    await command.run(call);
    return 0;
  } catch (error) {
    if (!(error instanceof CommandError)) throw error;
    warn(call.json ? JSON.stringify({ error: error.message }) : `galley ${name}: ${error.message}`);
    return 1;
  }
}

/** What `parseArgs` says, in one line. */
function misread(message: string): string | undefined {
  const [, option] = /^Option '(\S+)' argument is ambiguous/.exec(message) ?? [];
  if (option !== undefined) return `${option}: expects a value; write one that begins with "-" as ${option}=-…`;
  return message.split(/\.? To specify|\n/, 1)[0];
}

const COMMON_HELP = `Options of every command:
  --url <address>     speak to this server (else GALLEY_URL), with the key in GALLEY_SERVICE_KEY;
                      without it: the server that runs on the data folder, else the folder itself
  --data-dir <path>   the data folder (else GALLEY_DATA_DIR, else ./data)
  --json              machine output, one JSON value a line
  --help              this text`;

function overview(): string {
  const width = Math.max(...COMMANDS.map((c) => c.name.length));
  const rows = COMMANDS.map((c) => `  ${c.name.padEnd(width)}  ${c.summary}`);
  return `Galley, a self-hostable backend for apps.\n\nUsage: galley <command> [arguments]\n\n${rows.join("\n")}\n\ngalley <command> --help tells more, galley --version which Galley this is.`;
}
