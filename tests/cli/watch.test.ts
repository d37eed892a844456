/** `galley watch` as a user runs it, beside a server that runs, changes and restarts. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import t, { type Test } from "tap";
import { galley, temporaryFolder } from "../support/command-line.ts";
import { CLEAN_ENV } from "../support/programs.ts";
import { PROCESS_KEY, startGalley } from "../support/server-process.ts";
import { until } from "../support/until.ts";

/** A `galley watch` that runs until it is ended. */
function watch(t: Test, folder: string, args: readonly string[]) {
  const clean = 'unset NODE_OPTIONS; exec "$0" server/galley.cjs watch "$@"';
  const env = { ...CLEAN_ENV, GALLEY_DATA_DIR: folder, GALLEY_SERVICE_KEY: PROCESS_KEY };
  const child = spawn("sh", ["-c", clean, process.execPath, ...args], { env, stdio: ["ignore", "pipe", "pipe"] });
  const told = { out: "", err: "" };
  child.stdout.on("data", (chunk: Buffer) => (told.out += chunk.toString()));
  child.stderr.on("data", (chunk: Buffer) => (told.err += chunk.toString()));
  const closed = once(child, "close");
  t.teardown(() => child.kill("SIGKILL"));
  return {
    out: () => told.out,
    err: () => told.err,
    /** Nobody reads any more what it prints. @returns its exit code */
    async leave(): Promise<unknown> {
      child.stdout.destroy();
      return (await closed)[0];
    },
    async end(signal: NodeJS.Signals): Promise<unknown> {
      child.kill(signal);
      return (await closed)[0];
    },
  };
}

t.test(
  "watch tells what comes, changes and goes until it is interrupted, whatever becomes of the server",
  async (t) => {
    const folder = temporaryFolder(t);
    t.match(await galley(folder, ["watch", "todos"]), { code: 1, err: /^galley watch: no server runs .*\n$/ });
    let server = await startGalley(folder);
    t.teardown(() => server.end("SIGTERM"));
    const send = async (method: string, id: string, body?: object) => {
      const headers = { authorization: `Bearer ${PROCESS_KEY}`, "content-type": "application/json" };
      const url = `${server.url}/v1/documents/todos/${id}`;
      const { status } = await fetch(url, { method, headers, ...(body && { body: JSON.stringify(body) }) });
      if (status >= 300) throw new Error(`${method} ${id}: ${status}`);
    };
    await send("PUT", "a", { n: 1, done: false });
    await send("PUT", "b", { n: 2, done: true });
    const filter = '{"done": false}';
    const [text, json, left] = [[], ["--json"], []].map((more) =>
      watch(t, folder, ["todos", filter, "--sort", "n", "--url", server.url, ...more]),
    );
    if (!text || !json || !left) throw new Error("three watch");
    await until(() => text.out().includes("+ a") && json.out().includes('"id":"a"'), 20, "what is there");
    await until(() => left.out().includes("+ a"), 20, "what is there");
    const gone = left.leave();
    await send("PUT", "b", { n: 2, done: false });
    // What comes together is told together, net.
    await until(() => text.out().includes("+ b") && json.out().includes('"id":"b"'), 20, "what came");
    await send("PUT", "a", { n: 3, done: false });
    await until(() => text.out().includes("~ a") && json.out().includes("updated"), 20, "what changed");
    await send("DELETE", "a");
    await until(() => text.out().includes("- a") && json.out().includes('"removed"'), 20, "what happened");
    t.same([await gone, left.err()], [0, ""], "as with `| head`");
    t.match(text.out(), /^\+ a \{"_id":"a",.*"n":1.*\}\n\+ b \{.*\}\n~ a \{.*"n":3.*\}\n- a\n$/);
    const rows = json
      .out()
      .trimEnd()
      .split("\n")
      .map((line) => JSON.parse(line));
    t.match(
      rows.map(({ type, id, to, document }) => [type, id, to, document.n]),
      [
        ...[
          ["added", "a", 0, 1],
          ["added", "b", 1, 2],
          ["updated", "a", 1, 3],
        ],
        ["removed", "a", -1, 3],
      ],
    );
    for (const [bad, err] of [
      ['{"done": {"$no": 1}}', /\$no.*\(invalid_argument\)/],
      ["{", /not JSON/],
      ["null", /filter: expects a plain object/],
    ] as const) {
      t.match(await galley(folder, ["watch", "todos", bad]), { code: 1, out: "", err });
    }
    const port = new URL(server.url).port;
    await server.end("SIGTERM");
    server = await startGalley(folder, { GALLEY_PORT: port });
    await send("PUT", "c", { n: 4, done: false });
    await until(() => text.out().includes("+ c"), 30, "what came after the restart");
    t.match(text.out().split("- a\n")[1], /^\+ c [^\n]*\n$/, "and nothing again");
    t.match(text.err(), /^the connection is lost: trying again\n/);
    for (const one of [text, json]) t.equal(await one.end("SIGINT"), 0);
  },
);
