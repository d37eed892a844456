/** Live results over connections that break wherever they can: what is shown is always what was stored at some commit, whole. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Client, createClient, type LiveState } from "@galley/sdk";
import t, { type Test } from "tap";
import { WebSocket as NodeSocket } from "ws";
import { startApp } from "../support/app.ts";
import { onEachEngine } from "../support/engines.ts";
import { NO_LIMITS } from "../support/no-limits.ts";
import { build } from "../support/programs.ts";
import { PROCESS_KEY, type ServerProcess, startGalley } from "../support/server-process.ts";
import { until } from "../support/until.ts";

await build("--if-older");
// Full jitter may also be none: the waits between tries are not what is tested here.
const { random } = Math;
Math.random = () => 0;
t.teardown(() => {
  Math.random = random;
});

interface Account {
  side: "left" | "right";
  balance: number;
  /** The number of the commit that wrote it last. */
  step: number;
}
interface Schema {
  accounts: Account;
}
type Accounts = ReadonlyMap<string, Account>;

/** `before`: the nth frame is lost with its connection; `after`: it is the last one that comes. */
type When = "before" | "after";

/** A WebSocket whose nth frame of all is where its connection is cut. */
function cutting(nth: number, when: When) {
  const seen = { frames: 0, cuts: 0 };
  class Cutting extends NodeSocket {
    override emit(event: string | symbol, ...given: unknown[]): boolean {
      if (event !== "message") return super.emit(event, ...given);
      const isIt = ++seen.frames === nth;
      if (!isIt) return super.emit(event, ...given);
      seen.cuts++;
      const heard = when === "after" && super.emit(event, ...given);
      this.terminate();
      return heard;
    }
  }
  return { seen, WebSocket: Cutting as unknown as typeof globalThis.WebSocket };
}

const STEPS = 8;
const IDS = ["a", "b", "c", "d"];

/** What the nth commit makes of the accounts: money moves between the sides, and one goes or comes. */
function next(accounts: Accounts, step: number, first: number): Accounts {
  const made = new Map(accounts);
  const change = (id: string, by: number, side?: Account["side"]) => {
    const old = made.get(id) ?? { side: "left", balance: 0, step: 0 };
    made.set(id, { side: side ?? old.side, balance: old.balance + by, step: first + step });
  };
  const [from, to] = [IDS[step % 4] as string, IDS[(step + 1) % 4] as string];
  change(from, -step);
  change(to, step, step % 2 ? "left" : "right");
  if (step % 3 === 0) made.delete("e");
  else change("e", 0, step % 2 ? "right" : "left");
  return made;
}

function listOf(accounts: Accounts, side?: Account["side"]): string {
  const all = [...accounts].map(([_id, account]) => ({ _id, ...account }));
  const rows = all.filter((one) => side === undefined || one.side === side).sort((a, b) => (a._id < b._id ? -1 : 1));
  return JSON.stringify(rows.map(({ _id, side, balance, step }) => [_id, side, balance, step]));
}

function listed(state: LiveState<(Account & { readonly _id: string })[]>): string | undefined {
  return state.data && JSON.stringify(state.data.map(({ _id, side, balance, step }) => [_id, side, balance, step]));
}

onEachEngine(t, async (t, engine) => {
  const app = await startApp({ engine });
  t.teardown(() => app.close());
  await app.send("PATCH", "/v1/admin/settings", { body: NO_LIMITS });
  const writer = createClient<Schema>({ url: app.url, serviceKey: app.key });
  t.teardown(() => writer.close());

  /** Stores what a commit makes, as one. */
  const commit = (before: Accounts, after: Accounts) =>
    writer.batch((b) => {
      const accounts = b.collection("accounts");
      for (const id of before.keys()) if (!after.has(id)) accounts.delete(id);
      for (const [id, account] of after) if (before.get(id) !== account) accounts.set(id, account);
    });

  let plays = 0;

  /** Watches while commits come, over a connection that is cut once. @returns how many frames came, and what was wrong */
  async function play(nth: number, when: When): Promise<{ frames: number; faults: string[] }> {
    const { seen, WebSocket } = cutting(nth, when);
    const first = ++plays * 100;
    const start: Accounts = new Map(IDS.map((id) => [id, { side: "left", balance: 100, step: first }]));
    const stored = new Map((await writer.collection("accounts").find()).map(({ _id, ...account }) => [_id, account]));
    await commit(stored, start);
    const history = [start];
    for (let step = 1; step <= STEPS; step++) history.push(next(history.at(-1) as Accounts, step, first));
    const db = createClient<Schema>({ url: app.url, serviceKey: app.key, WebSocket });
    const accounts = db.collection("accounts");
    const faults: string[] = [];
    const questions = [undefined, "left", "right"] as const;
    const at: number[] = [];
    const lives = questions.map((side, i) =>
      accounts.find(side ? { side } : {}, { sort: "_id" }).live((state) => {
        if (!state.data) return;
        const told = listed(state);
        const place = history.findIndex((one, n) => n >= (at[i] ?? 0) && listOf(one, side) === told);
        // A node that has yet to hear of the first commit tells what was there before it.
        if (place < 0 && at[i] === undefined) return;
        if (place < 0) faults.push(`cut ${when} ${nth}: ${side ?? "all"} shows ${told} after ${at[i]}`);
        else at[i] = place;
        // Results that are in step stand at one commit, whoever is told first.
        const inStep = lives.filter(({ state }) => state.synced).map(({ state }) => state.position);
        const [all, left, right] = lives.map(({ state }) => state);
        if (inStep.length < 3 || !all?.data || !left?.data || !right?.data) return;
        const sum = [...left.data, ...right.data].reduce((total, { balance }) => total + balance, 0);
        if (sum !== 400) faults.push(`cut ${when} ${nth}: half a commit, ${sum}`);
      }),
    );
    await Promise.all(lives.map(({ ready }) => ready));
    for (let step = 1; step <= STEPS; step++) await commit(history[step - 1] as Accounts, history[step] as Accounts);
    const last = history.at(-1) as Accounts;
    await until(
      () => lives.every(({ state }, i) => state.synced && listed(state) === listOf(last, questions[i])),
      20,
      () => `the end after a cut ${when} ${nth}`,
    );
    const [all] = lives;
    t.same(all?.state.data, await writer.collection("accounts").find({}, { sort: "_id" }));
    db.close();
    if (seen.frames >= nth && seen.cuts !== 1) faults.push(`cut ${when} ${nth}: ${seen.cuts} cuts`);
    return { frames: seen.frames, faults };
  }

  t.test(
    "a drop at every frame: each state is a commit as it was stored, and the end is the fresh answer",
    async (t) => {
      const { frames } = await play(0, "after");
      t.ok(frames > STEPS + 3, `${frames} frames`);
      const faults: string[] = [];
      // Once will do on the other engine: the connection does not know which one lies behind.
      const ways: readonly When[] = engine.name === "sqlite" ? ["before", "after"] : ["before"];
      for (let nth = 1; nth <= frames; nth++) {
        for (const when of ways) faults.push(...(await play(nth, when)).faults);
      }
      t.same(faults, []);
      t.comment(`${frames} frames, each cut ${ways.join(" and ")} it came`);
    },
  );

  t.test("two hundred subscriptions come back at once, and again", async (t) => {
    const made: NodeSocket[] = [];
    class Counted extends NodeSocket {
      constructor(...given: ConstructorParameters<typeof NodeSocket>) {
        super(...given);
        made.push(this);
      }
    }
    const WebSocket = Counted as unknown as typeof globalThis.WebSocket;
    const db = createClient<{ marks: { n: number } }>({ url: app.url, serviceKey: app.key, WebSocket });
    t.teardown(() => db.close());
    const writer = createClient<{ marks: { n: number } }>({ url: app.url, serviceKey: app.key });
    t.teardown(() => writer.close());
    const write = (round: number) =>
      writer.batch((b) => {
        for (let n = 0; n < 200; n++) b.collection("marks").set(`m${n}`, { n: n + 1000 * round });
      });
    await write(0);
    const lives = Array.from({ length: 200 }, (_, n) =>
      db
        .collection("marks")
        .find({ _id: `m${n}` })
        .live(),
    );
    await Promise.all(lives.map(({ ready }) => ready));
    t.equal(made.length, 1, "over one connection");
    for (const round of [1, 2]) {
      const gone = made.at(-1);
      await write(round - 0.5);
      gone?.terminate();
      await until(() => lives.every(({ state }) => !state.synced) || made.at(-1) !== gone, 20, "the loss");
      await write(round);
      const isBack = (live: (typeof lives)[number], n: number) =>
        live.state.synced && live.state.data?.[0]?.n === n + 1000 * round;
      await until(
        () => lives.every(isBack),
        30,
        () => `round ${round}: ${lives.filter((l, n) => !isBack(l, n)).length} are not back`,
      );
      t.equal(made.at(-1) === gone, false);
    }
    t.ok(lives.every(({ state }) => state.error === undefined));
  });

  t.test("a server that is killed and comes back: what was answered is there, and results go on", async (t) => {
    const folder = mkdtempSync(join(tmpdir(), "galley-reconnect-"));
    const env = engine.env(folder);
    let server: ServerProcess = await startGalley(folder, env);
    const port = new URL(server.url).port;
    t.teardown(async () => {
      await server.end("SIGKILL");
      rmSync(folder, { recursive: true, force: true });
    });
    const url = server.url;
    const connect = (t: Test): Client<Schema> => {
      const WebSocket = NodeSocket as unknown as typeof globalThis.WebSocket;
      const db = createClient<Schema>({ url, serviceKey: PROCESS_KEY, WebSocket });
      t.teardown(() => db.close());
      return db;
    };
    const [watching, writing] = [connect(t), connect(t)];
    const writes = writing.collection("accounts");
    await writes.create({ _id: "a", side: "left", balance: 0, step: 0 });
    const shown: number[] = [];
    const live = watching
      .collection("accounts")
      .find({ side: "left" })
      .live(({ data }) => void (data?.[0] && shown.push(data[0].balance)));
    await live.ready;
    let answered = 0;
    for (let kill = 0; kill < 2; kill++) {
      let isUp = true;
      t.teardown(() => {
        isUp = false;
      });
      // Each is tried again until it is answered, and happens once.
      const counting = (async () => {
        while (isUp || answered === 0) {
          await writes.update("a", { $inc: { balance: 1 } }).then(
            () => answered++,
            () => {},
          );
        }
      })();
      const enough = answered + 5;
      await until(() => answered >= enough, 20, "some answers");
      await server.end("SIGKILL");
      await until(() => !live.state.synced, 20, "the loss");
      isUp = false;
      // A client that tries all the time may by chance have been given that very port to try from.
      await until(
        async () => {
          const started = await startGalley(folder, { ...env, GALLEY_PORT: port }).catch(() => undefined);
          server = started ?? server;
          return started !== undefined;
        },
        30,
        "a new start",
      );
      await counting;
      await until(() => live.state.synced, 30, "the result");
      const [fresh] = await writes.find({ side: "left" });
      await until(() => live.state.data?.[0]?._v === fresh?._v, 10, "the fresh answer");
      t.ok((fresh?.balance ?? 0) >= answered, "what was answered is stored");
    }
    t.same(
      shown,
      [...shown].sort((a, b) => a - b),
      "and nothing that was shown was taken back",
    );
  });
});
