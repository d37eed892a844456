import { existsSync } from "node:fs";
import { type Call, type Command, CommandError, needed, textOption } from "./command.ts";
import { readJsonFile } from "./json-file.ts";
import { errorMessage, type Reach, reach, readText, sendJson } from "./reach.ts";
import { failures, printReport, type Report } from "./rules-report.ts";

interface Info {
  readonly version: number;
  readonly by: { readonly kind: string; readonly id: string; readonly name: string | null };
  readonly at: string;
  readonly note: string;
}

interface Version extends Partial<Info> {
  readonly version: number;
  readonly rules: unknown;
  readonly tests: unknown;
}

const BASE = "/v1/admin/rules";
const ACTIONS = ["show", "versions", "test", "push", "rollback"];

export const command: Command = {
  usage: "rules show [<version>] | versions | test [options] | push [options] | rollback <version> [--note <text>]",
  help: `Access rules live in a file of your app's repository. test says what is wrong with it and stores nothing; push puts
it in force, on every server at once, or says what stands in the way; rollback brings an old version back as a new one.

  --rules <file>        the rules, rules.json if not given
  --tests <file>        their tests; if not given the file beside the rules, rules.tests.json, where there is one
  --acknowledge <ids>   warnings that you have read, separated by commas; they do not stop a push then
  --if-version <n>      push only if this version is in force; if not given, the one that is when the push begins
  --note <text>         what changed, for the list of versions`,
  positionals: 2,
  options: {
    rules: { type: "string" },
    tests: { type: "string" },
    acknowledge: { type: "string" },
    "if-version": { type: "string" },
    note: { type: "string" },
  },
  async run(call) {
    const [action = "show"] = call.positionals;
    if (!ACTIONS.includes(action)) throw new CommandError(`expects ${ACTIONS.join(", ")}; got "${action}"`);
    // What is wrong with the call is told before a server is looked for.
    const set = action === "test" || action === "push" ? readSet(call) : undefined;
    const back = action === "rollback" ? versionOf(needed(call, 1, "version"), "version") : 0;
    const galley = await reach(call);
    try {
      if (set && action === "test") await test(call, galley, set);
      else if (set) await push(call, galley, set);
      else if (action === "rollback") await rollback(call, galley, back);
      else if (action === "versions") await versions(call, galley);
      else await show(call, galley);
    } finally {
      await galley.close();
    }
  },
};

interface RuleFiles {
  readonly rules: unknown;
  readonly tests?: unknown;
}

function readSet(call: Call): RuleFiles {
  const file = textOption(call, "rules") ?? "rules.json";
  const beside = file.replace(/(\.json)?$/, ".tests.json");
  const tests = textOption(call, "tests") ?? (existsSync(beside) ? beside : undefined);
  return { rules: readJsonFile(file), ...(tests !== undefined && { tests: readJsonFile(tests) }) };
}

async function test(call: Call, galley: Reach, set: RuleFiles): Promise<void> {
  const report = await sendJson<Report>(galley, "POST", `${BASE}/check`, set);
  printReport(call, report);
  const failed = failures(report, acknowledged(call));
  if (failed !== undefined) throw new CommandError(failed);
  if (!call.json) call.print("Nothing stands in the way of a push.");
}

async function push(call: Call, galley: Reach, set: RuleFiles): Promise<void> {
  const given = textOption(call, "if-version");
  const current = await sendJson<Version>(galley, "GET", BASE);
  const ifVersion = given === undefined ? current.version : versionOf(given, "--if-version");
  if (ifVersion === current.version && isSame(set, current)) {
    call.print(call.json ? JSON.stringify({ unchanged: ifVersion }) : `Version ${ifVersion} says the same already.`);
    return;
  }
  const body = { ...set, ifVersion, acknowledge: acknowledged(call), ...noteOf(call) };
  tell(call, await publish(call, galley, `${BASE}/publish`, body));
}

async function rollback(call: Call, galley: Reach, version: number): Promise<void> {
  tell(call, await publish(call, galley, `${BASE}/rollback`, { version, ...noteOf(call) }));
}

/** Sends a set, and tells all that stood in its way. @throws CommandError */
async function publish(call: Call, galley: Reach, path: string, body: object): Promise<Info & Report> {
  const reply = await galley.send({ method: "POST", path, body: JSON.stringify(body) });
  const text = await readText(reply.body);
  if (reply.status < 300) return JSON.parse(text) as Info & Report;
  const message = errorMessage(text, reply.status);
  if (message.startsWith("the server answered")) throw new CommandError(message);
  const { error } = JSON.parse(text) as { error: { details?: Report } };
  if (error.details) printReport(call, error.details);
  throw new CommandError(message);
}

function tell(call: Call, published: Info & Report): void {
  printReport(call, published);
  if (!call.json) call.print(`Version ${published.version} is in force.`);
}

async function versions(call: Call, galley: Reach): Promise<void> {
  let after = "";
  for (;;) {
    const page = await sendJson<{ versions: Info[]; next?: string }>(galley, "GET", `${BASE}/versions${after}`);
    for (const info of page.versions) call.print(call.json ? JSON.stringify(info) : describe(info));
    if (page.next === undefined) break;
    after = `?after=${page.next}`;
  }
}

async function show(call: Call, galley: Reach): Promise<void> {
  const [, version] = call.positionals;
  const path = version === undefined ? BASE : `${BASE}/versions/${versionOf(version, "version")}`;
  const shown = await sendJson<Version>(galley, "GET", path);
  if (call.json) call.print(JSON.stringify(shown));
  else if (shown.version === 0) call.print("No rules yet: only admins and service keys reach documents.");
  else call.print(JSON.stringify(shown.rules, null, 2));
}

function describe({ version, by, at, note }: Info): string {
  return `${version}  ${at}  ${by.name ?? by.id}${note === "" ? "" : `: ${note.replace(/\s+/g, " ")}`}`;
}

function isSame({ rules, tests = null }: RuleFiles, current: Version): boolean {
  return JSON.stringify([rules, tests]) === JSON.stringify([current.rules, current.tests]);
}

function acknowledged(call: Call): string[] {
  return (textOption(call, "acknowledge") ?? "").split(",").filter(Boolean);
}

function noteOf(call: Call): { note?: string } {
  const note = textOption(call, "note");
  return note === undefined ? {} : { note };
}

function versionOf(text: string, what: string): number {
  if (/^(?:0|[1-9][0-9]{0,9})$/.test(text)) return Number(text);
  throw new CommandError(`${what}: expects a number like 12, got ${JSON.stringify(text)}`);
}
