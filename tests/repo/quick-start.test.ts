/**
 * docs/quick-start.md, block by block as a reader types it: the server in the checkout, all else in one shell with a home of
 * its own, where nothing is. `npm ci` alone is left out: it made the checkout that this test runs in.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { homedir, tmpdir } from "node:os";
import { join } from "node:path";
import t from "tap";
import { ROOT } from "../support/own-modules.ts";
import { CLEAN_ENV } from "../support/programs.ts";
import { compile } from "../support/typescript.ts";
import { until } from "../support/until.ts";

const ADDRESS = "http://127.0.0.1:4600";
/** Where the page has its reader keep files. */
const FOLDER = "first-list";
/** What may be typed up to the live list. */
const COMMANDS = 8;
const LINES = 60;

interface Block {
  /** `start`: the server. `run`: commands. `live`: commands that go on until they are interrupted. Else a file's name. */
  readonly kind: string;
  readonly text: string;
}

const page = readFileSync(join(ROOT, "docs/quick-start.md"), "utf8");
const BLOCKS: readonly Block[] = [...page.matchAll(/^```(\w+) ?(\S*)\n([\s\S]*?)^```$/gm)].map(
  ([, , kind = "", text = ""]) => ({ kind, text }),
);
const isCommands = ({ kind }: Block) => ["start", "run", "live"].includes(kind);

/** Lines that go on are one, what `&&` joins is two. */
function commandsOf(blocks: readonly Block[]): string[] {
  const lines = blocks.filter(isCommands).flatMap(({ text }) => text.replaceAll("\\\n", "").trim().split("\n"));
  return lines.flatMap((line) => line.split("&&"));
}

t.test("a stranger has a live list after few commands and little typing", async (t) => {
  t.notOk(
    BLOCKS.some(({ kind }) => kind === ""),
    "every block says what becomes of it",
  );
  const typed = BLOCKS.slice(0, BLOCKS.findIndex(({ kind }) => kind === "live") + 1);
  const commands = commandsOf(typed);
  const lines = typed.flatMap(({ text }) => text.split("\n")).filter((line) => line.trim() !== "");
  t.comment(`${commands.length} commands, ${lines.length} lines`);
  t.ok(commands.length > 0 && commands.length <= COMMANDS, commands.join("\n"));
  t.ok(lines.length <= LINES, `${lines.length} lines`);
});

t.test("the quick start runs as it is written", { timeout: 170_000 }, async (t) => {
  const home = mkdtempSync(join(tmpdir(), "galley-quick-start-"));
  t.teardown(() => rmSync(home, { recursive: true, force: true }));
  const env = {
    ...CLEAN_ENV,
    ...{ HOME: home, GALLEY_DATA_DIR: join(home, "data"), GALLEY_PORT: "0" },
    // Where packages come from is this machine's to say.
    ...{ npm_config_userconfig: join(homedir(), ".npmrc"), npm_config_cache: join(homedir(), ".npm") },
    ...{ npm_config_prefer_offline: "true", npm_config_update_notifier: "false" },
  };
  const open = (args: readonly string[]) => {
    const child = spawn("bash", ["-c", 'unset NODE_OPTIONS; exec bash "$@"', "bash", ...args], {
      ...{ cwd: ROOT, env, detached: true },
      stdio: ["pipe", "pipe", "pipe"],
    });
    const closed = once(child, "close");
    let out = "";
    for (const stream of [child.stdout, child.stderr]) stream.on("data", (chunk: Buffer) => (out += chunk.toString()));
    t.teardown(async () => {
      end(child, "SIGTERM");
      await closed;
    });
    return { child, closed, out: () => out };
  };

  const [first, ...rest] = BLOCKS;
  t.same([first?.kind, first?.text], ["start", "npm ci && npm start\n"]);
  const server = open(["-c", "npm start"]);
  const address = () => /http:\/\/127\.0\.0\.1:\d+(?=\D)/.exec(server.out())?.[0];
  await until(() => address() !== undefined, 60, "the server's address");
  const written = (text: string) =>
    text.replaceAll(ADDRESS, address() ?? "").replaceAll("data/atlas", join(home, "data/atlas"));

  const shell = open(["-euo", "pipefail", "-s"]);
  let ended = 0;
  for (const { kind, text } of rest) {
    if (!isCommands({ kind, text })) {
      writeFileSync(join(home, FOLDER, kind), written(text));
      continue;
    }
    const before = shell.out().length;
    if (kind === "live") {
      shell.child.stdin?.write(`${written(text).trimEnd()} & live=$!\n`);
      await until(() => shell.out().slice(before).includes("[ 'Buy milk' ]"), 30, `the live list: ${shell.out()}`);
      shell.child.stdin?.write("kill -INT $live; wait $live || true\n");
      continue;
    }
    shell.child.stdin?.write(`${written(text)}echo "ended ${++ended}"\n`);
    const isOver = () => shell.out().includes(`ended ${ended}\n`) || shell.child.exitCode !== null;
    await until(isOver, 120, `the end of ${text}`);
    if (shell.child.exitCode !== null) break;
  }
  shell.child.stdin?.end();
  const [code] = await shell.closed;
  const out = shell.out();
  t.equal(code, 0, out.slice(-2000));
  t.match(out, /\[ 'Buy milk' \]\n/);
  t.match(out, /"title":"Bake bread"[\s\S]*"documents":\[\{[^\]]*"title":"Buy milk"/);
  t.match(out, /1 for Ann, 0 for Bob\nnot_found because of notes\.update\.\$use\(mine\)\.ownerId - ownerId is "/);
  t.match(out, /countries: 250 created, 0 updated, 0 unchanged, 0 refused/);
  t.match(out, /cities: 171075 created, 0 updated, 0 unchanged, 0 refused/);
  t.match(out, /wrote .*galley\.d\.ts: 4 collections\n/);
  t.match(out, /(Aadorf|Aarau|Aarberg) in Swiss Confederation/);
  const types = { "galley.d.ts": readFileSync(join(home, FOLDER, "galley.d.ts"), "utf8") };
  const asked = `declare const process: { env: Record<string, string | undefined> };\n${BLOCKS.find(({ kind }) => kind === "ask.mts")?.text}`;
  t.equal(await compile(t, { ...types, "ask.mts": asked }), "", "and an editor knows every name");
  t.match(out, /\d+ states of the board, the last one:\n( {2}\d+ .*\n){10}/);
});

/** Ends a shell with all that it has started. */
function end({ pid, exitCode, signalCode }: ChildProcess, signal: NodeJS.Signals): void {
  if (pid !== undefined && exitCode === null && signalCode === null) process.kill(-pid, signal);
}
