/** What the client leaves behind: no timer, no listener, no socket, no subscription, no word on the console; sdk.md 14. */
import { getEventListeners } from "node:events";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { setImmediate as nextTurn } from "node:timers/promises";
import { pathToFileURL } from "node:url";
import type { Live } from "@galley/sdk";
import t, { type Test } from "tap";
import { WebSocket as NodeSocket } from "ws";
import { startApp } from "../support/app.ts";
import { watchGlobals } from "../support/left-behind.ts";
import { NO_LIMITS } from "../support/no-limits.ts";
import { ROOT } from "../support/own-modules.ts";
import { Network } from "../support/own-writes/network.ts";
import { build, CLEAN_ENV, run } from "../support/programs.ts";
import { until } from "../support/until.ts";

const WebSocket = NodeSocket as unknown as typeof globalThis.WebSocket;
const CYCLES = 10_000;
/** The whole SDK, as a page gets it. */
const PAGE = join(ROOT, "sdk/dist/galley.js");

await build("--if-older");
const load = async (again = "") => (await import(pathToFileURL(PAGE).href + again)) as typeof import("@galley/sdk");
const { createClient } = await load();
const app = await startApp();
await app.send("PATCH", "/v1/admin/settings", { body: NO_LIMITS });
t.teardown(() => app.close());

interface Schema {
  notes: { text: string; n?: number };
}

/** A client of the server, whose sockets are counted as those of a scripted one are. */
function open(t: Test) {
  const db = createClient<Schema>({ url: app.url, serviceKey: app.key, WebSocket });
  t.teardown(() => db.close());
  return db;
}

/** Waits for what comes within some turns of the event loop, ten thousand times. */
async function soon(holds: () => boolean) {
  while (!holds()) await nextTurn();
}

t.test("ten thousand live results that were opened and closed leave nothing", async (t) => {
  const db = open(t);
  const notes = db.collection("notes");
  const { counters } = app.app.live;
  const states: string[] = [];
  t.teardown(db.connection.onChange(() => states.push(db.connection.status)));
  const left = watchGlobals(t, PAGE);
  const signal = new AbortController().signal;
  const kept = notes.find({ n: -1 }).live();
  await kept.ready;
  const idle = open(t);
  for await (const { synced } of idle.collection("notes").find().live()) if (synced) break;
  t.ok(left.timers().length > 0 && left.all().length > left.timers().length, "as long as it is watched there are some");
  for (let n = 0; n < CYCLES; n++) {
    // As many questions as a socket may ask.
    const live = notes.find({ n: n % 150 }, { signal }).live(() => {});
    if (n % 500 === 0) await live.ready;
    live.close();
  }
  // And those that nobody closes by hand: ended iterations, and `using`.
  for (let n = 0; n < 50; n++) {
    for await (const { synced } of notes.find({ n }).live()) if (synced) break;
    notes.find({ n }).live()[Symbol.dispose]();
  }
  t.ok(counters.subscriptions <= 152, "equal questions share a subscription");
  await until(() => counters.subscriptions === 1, 20, "that only the one is left which is watched");
  await until(() => idle.connection.status === "off" && counters.sockets === 1, 20, "the end of an idle socket");
  kept.close();
  db.close();
  idle.close();
  await until(() => counters.sockets === 0 && counters.subscriptions === 0, 20, "the end of the socket");
  t.same(left.all(), []);
  t.same(getEventListeners(signal, "abort"), []);
  t.ok(states.length > 2 && states.length < 10);
});

t.test("a closed client opens nothing, also where it was closed while it was about to", async (t) => {
  const left = watchGlobals(t, PAGE);
  const { counters } = app.app.live;
  const [early, late] = [open(t), open(t)];
  const states: unknown[] = [];
  // What does the work is not there yet.
  const pending = early.collection("notes").find().live();
  early.close();
  await late.collection("notes").find({}, { sort: "n" }).live().ready;
  late.close();
  const after = late
    .collection("notes")
    .find()
    .live(({ error }) => states.push(error));
  await t.rejects(after.ready, { code: "aborted" });
  t.match([states, after.state.synced], [[{ code: "aborted" }], false]);
  await t.rejects(early.collection("notes").find().live().ready, { code: "aborted" });
  await until(() => counters.sockets === 0, 20, "no socket");
  pending.close();
  await nextTurn();
  t.same([left.all(), early.connection.status, late.connection.status], [[], "off", "off"]);
});

t.test("ten thousand lost connections leave nothing, at the server either", async (t) => {
  const { random } = Math;
  // Full jitter may also be none: the waits between tries are not what is tested here.
  Math.random = () => 0;
  t.teardown(() => {
    Math.random = random;
  });
  const left = watchGlobals(t, PAGE);
  const clients = Array.from({ length: 20 }, () => {
    const network = new Network();
    const { fetch, WebSocket } = network;
    const db = createClient<{ items: { n: number } }>({ url: "http://galley.test", fetch, WebSocket });
    t.teardown(() => db.close());
    return { network, db };
  });
  await Promise.all(
    clients.map(async ({ network, db }) => {
      const find = () => db.collection("items").find({}, { sort: "rank" as never, limit: 100 });
      const kept = find().live();
      for (let n = 0; n < CYCLES / clients.length; n++) {
        const live = find().live();
        await soon(() => network.socket !== undefined);
        const { greeted } = network;
        network.open();
        await soon(() => network.greeted > greeted);
        // Now before the welcome, now before the answer, now after it.
        for (let i = 0; i < n % 3; i++) network.deliverFrame();
        live.close();
        network.drop();
      }
      kept.close();
      db.close();
    }),
  );
  await until(
    () => left.all().length === 0,
    10,
    () => `nothing left but ${left.all()}`,
  );
  const sockets = clients.map(({ network }) => network.socket?.readyState ?? 3);
  t.ok(sockets.every((state) => state === 3));

  const made: NodeSocket[] = [];
  const Counted = class extends NodeSocket {
    constructor(...given: ConstructorParameters<typeof NodeSocket>) {
      super(...given);
      made.push(this);
    }
  } as unknown as typeof globalThis.WebSocket;
  const db = createClient<Schema>({ url: app.url, serviceKey: app.key, WebSocket: Counted });
  t.teardown(() => db.close());
  const live = db.collection("notes").find().live();
  for (let n = 0; n < 100; n++) {
    await soon(() => made[n]?.readyState === NodeSocket.OPEN && live.state.synced);
    made[n]?.terminate();
    await soon(() => made.length > n + 1);
  }
  await until(() => live.state.synced, 20);
  await until(() => app.app.live.counters.subscriptions === 1, 20, "one subscription");
  t.equal(app.app.live.counters.sockets, 1);
  db.close();
  await until(() => app.app.live.counters.sockets === 0, 20);
  await until(
    () => left.all().length === 0,
    10,
    () => `nothing left but ${left.all()}`,
  );
  t.ok(made.every(({ readyState }) => readyState === NodeSocket.CLOSED));
});

t.test("importing it does nothing, and neither does a client until it is asked", async (t) => {
  const left = watchGlobals(t, PAGE);
  const before = new Set(Object.getOwnPropertyNames(globalThis));
  const { createClient } = await load("?again");
  const touched: string[] = [];
  const db = createClient({
    url: app.url,
    WebSocket,
    fetch: () => {
      touched.push("fetch");
      throw new Error("no");
    },
    storage: {
      getItem: () => void touched.push("storage"),
      setItem: () => void touched.push("storage"),
      removeItem: () => void touched.push("storage"),
    },
  });
  const question = db.collection("notes").find({ n: 1 });
  t.equal(typeof question.key, "string");
  await nextTurn();
  t.same([touched, left.all()], [[], []]);
  t.same(
    Object.getOwnPropertyNames(globalThis).filter((name) => !before.has(name)),
    [],
    "no name of its own in the global scope",
  );
  db.close();
});

t.test("a client that waits for nothing holds no timer, and lets a program end", async (t) => {
  const left = watchGlobals(t, PAGE);
  const db = createClient<Schema>({ url: app.url, WebSocket });
  await db.auth.signInAsGuest();
  const notes = db.collection("notes");
  await Promise.allSettled([
    notes.create({ text: "x" }),
    notes.find(),
    db.auth.token(),
    db.auth.update({ name: "Ann" }),
  ]);
  t.same(left.timers(), []);
  await db.auth.signOut();
  t.same(left.timers(), []);
  db.close();
  const { stdout, stderr } = await run(
    process.execPath,
    [
      ...["--input-type=module", "-e"],
      `import { createClient } from ${JSON.stringify(PAGE)};
       const db = createClient({ url: ${JSON.stringify(app.url)} });
       const began = Date.now();
       process.on("exit", () => console.log(Date.now() - began < 60_000 ? "ended" : "late"));
       await db.auth.signInAsGuest();
       await db.collection("notes").find().catch(({ code }) => console.log(code));`,
    ],
    { env: CLEAN_ENV },
  );
  t.same([stdout, stderr], ["permission_denied\nended\n", ""]);
});

t.test("whatever goes wrong, it says nothing on the console, and no rejection is left to nobody", async (t) => {
  const said: unknown[] = [];
  const { log, info, warn, error, debug, trace } = console;
  const quiet = (...words: unknown[]) => void said.push(words);
  Object.assign(console, { log: quiet, info: quiet, warn: quiet, error: quiet, debug: quiet, trace: quiet });
  const onRejection = (reason: unknown) => void said.push(reason);
  const others = process.listeners("unhandledRejection");
  process.removeAllListeners("unhandledRejection");
  process.on("unhandledRejection", onRejection);
  process.on("warning", onRejection);
  t.teardown(() => {
    Object.assign(console, { log, info, warn, error, debug, trace });
    process.removeListener("unhandledRejection", onRejection);
    process.removeListener("warning", onRejection);
    for (const other of others) process.on("unhandledRejection", other);
  });
  const guest = createClient<Schema>({ url: app.url, WebSocket });
  await guest.auth.signInAsGuest();
  const lives: Live<unknown>[] = [
    guest.collection("notes").find().live(),
    guest.collection("notes").find({}, { sort: "n" }).count().live(),
    guest.collection("notes").get("x").live(),
  ];
  // Nobody asks for `ready`.
  await until(() => lives.every(({ state }) => state.error !== undefined), 20, "three refusals");
  const later = guest.collection("notes").find({ n: 1 }).live();
  await until(() => later.state.error !== undefined, 20, "a fourth one");
  guest.close();
  const away = createClient<Schema>({ url: "http://127.0.0.1:9", WebSocket, timeout: 300 });
  const failed = away.collection("notes").create({ text: "x" });
  const live = away.collection("notes").find().live();
  const error2 = await failed.catch(({ code }: { code: string }) => code);
  await until(() => away.connection.status === "waiting", 20, "a loss");
  live.close();
  away.close();
  for (let n = 0; n < 3; n++) await new Promise((resolve) => setTimeout(resolve, 5));
  t.equal(error2, "network");
  t.same(said, []);
});

t.test("the page's file holds nothing that evaluates, writes or tells", (t) => {
  const text = readFileSync(PAGE, "utf8");
  for (const word of [
    /\beval\b/,
    /\bFunction\s*\(/,
    /\bconsole\b/,
    /\bdocument\.write\b/,
    /innerHTML/,
    /\bdebugger\b/,
  ]) {
    t.notMatch(text, word);
  }
  t.notMatch(text, /https?:\/\/(?!\/)[a-z]/, "no address but the app's");
  t.end();
});
