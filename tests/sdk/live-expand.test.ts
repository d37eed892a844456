/** Live results that carry what they refer to: joined by the SDK, and consistent at each state that they show. */
import { setTimeout as wait } from "node:timers/promises";
import { type Client, createClient, type Defined } from "@galley/sdk";
import t, { type Test } from "tap";
import { WebSocket as NodeSocket } from "ws";
import { startApp } from "../support/app.ts";
import { onEachEngine } from "../support/engines.ts";
import { NO_LIMITS } from "../support/no-limits.ts";
import { publishRules } from "../support/publish-rules.ts";
import { until } from "../support/until.ts";

const WebSocket = NodeSocket as unknown as typeof globalThis.WebSocket;

interface Schema {
  people: Defined<
    { name: string; boss?: string; team?: string; friends?: string[] },
    { refs: { boss: "people"; team: "teams"; friends: "people" } }
  >;
  teams: { name: string };
}

const schema = {
  properties: {
    boss: { type: "string", ref: "people" },
    team: { type: "string", ref: "teams" },
    friends: { type: "array", items: { type: "string", ref: "people" } },
  },
};

onEachEngine(t, async (t, engine) => {
  const app = await startApp({ engine });
  t.teardown(() => app.close());
  await app.send("PATCH", "/v1/admin/settings", { body: NO_LIMITS });
  await app.send("POST", "/v1/admin/collections", { body: { name: "people", schema } });
  const open = (t: Test): Client<Schema> => {
    const db = createClient<Schema>({ url: app.url, serviceKey: app.key, WebSocket });
    t.teardown(() => db.close());
    return db;
  };
  const writer = open(t as Test);
  const [people, teams] = [writer.collection("people"), writer.collection("teams")];
  await writer.batch((b) => {
    for (const id of ["red", "blue"]) b.collection("teams").create({ _id: id, name: `Team ${id}` });
    b.collection("people").create({ _id: "ann", name: "Ann", team: "red" });
    b.collection("people").create({ _id: "bob", name: "Bob", team: "blue", boss: "ann", friends: ["ann", "nobody"] });
    b.collection("people").create({ _id: "cid", name: "Cid" });
  });

  t.test("what is referred to comes along, and follows its own changes", async (t) => {
    const list = open(t)
      .collection("people")
      .find({}, { sort: "name", expand: ["team", "boss", "friends"] });
    const live = list.live();
    const shown = () =>
      live.state.data?.map(({ name, _expanded: { team, boss, friends } }) => [
        ...[name, team?.name ?? null, boss?.name ?? null],
        friends?.map((friend) => friend?.name ?? null),
      ]);
    const asked = (await list).map(({ _id, _expanded }) => [_id, _expanded]);
    t.same(
      (await live.ready).map(({ _id, _expanded }) => [_id, _expanded]),
      asked,
      "as asked once",
    );
    t.same(shown(), [
      ["Ann", "Team red", null, undefined],
      ["Bob", "Team blue", "Ann", ["Ann", null]],
      ["Cid", null, null, undefined],
    ]);
    const [, , cid] = live.state.data ?? [];
    await teams.update("red", { name: "Reds" });
    await until(() => shown()?.[0]?.[1] === "Reds");
    t.equal(live.state.data?.[2], cid, "a row of which nothing is different is the same object");
    t.same(
      live.state.changes.map(({ type, id }) => [type, id]),
      [["updated", "ann"]],
    );
    await people.update("ann", { name: "Anna" });
    await until(() => shown()?.[1]?.[2] === "Anna");
    t.same(shown()?.[0]?.[0], "Anna");
    await people.update("ann", { name: "Ann" });
    await teams.update("red", { name: "Team red" });
    await until(() => shown()?.[0]?.[1] === "Team red" && shown()?.[1]?.[2] === "Ann");
    live.close();
  });

  t.test("whatever is newly referred to is waited for: no state lacks what its position has", async (t) => {
    const states: (string | null | undefined)[][] = [];
    const live = open(t)
      .collection("people")
      .find({ team: { $exists: true } }, { sort: "name", expand: ["team"] })
      .live(({ data = [] }) => void states.push(data.map(({ team, _expanded }) => team && _expanded.team?.name)));
    await live.ready;
    for (let n = 0; n < 12; n++) {
      await writer.batch((b) => {
        b.collection("teams").create({ _id: `new-${n}`, name: `Team new-${n}` });
        b.collection("people").update(n % 2 ? "ann" : "bob", { team: `new-${n}` });
      });
    }
    await until(() => live.state.data?.[0]?.team === "new-11" && live.state.synced);
    t.same(
      states.flat().filter((name) => typeof name !== "string"),
      [],
    );
    t.same(states.at(-1), ["Team new-11", "Team new-10"]);
    live.close();
  });

  t.test("own writes show in it, also those of what is referred to", async (t) => {
    const db = open(t);
    const pending = new Set<boolean>();
    const live = db
      .collection("people")
      .find({ name: "Bob" }, { expand: ["boss"] })
      .live(({ data, pending: isPending, synced }) => {
        if (data?.[0]?._expanded.boss?.name === "Annabel") pending.add(isPending && !synced);
      });
    await live.ready;
    t.equal(live.state.data?.[0]?._expanded.boss?.name, "Ann");
    const own = db.collection("people").find({ name: "Annabel" }).live();
    await own.ready;
    const written = db.collection("people").update("ann", { name: "Annabel" });
    await until(() => live.state.data?.[0]?._expanded.boss?.name === "Annabel");
    await written;
    await until(() => live.state.synced);
    t.strictSame([...pending], [true, false], "at first, until it is confirmed");
    t.equal(live.state.data?.[0]?._expanded.boss?.name, "Annabel");
    await people.update("ann", { name: "Ann" });
    live.close();
    own.close();
  });

  t.test("a single document, which may not be there", async (t) => {
    const live = open(t)
      .collection("people")
      .get("dan", { expand: ["team"] })
      .live();
    t.equal(await live.ready, null);
    await people.create({ _id: "dan", name: "Dan", team: "red" });
    await until(() => live.state.data?._expanded.team?.name === "Team red");
    await people.delete("dan");
    await until(() => live.state.data === null);
    live.close();
  });

  t.test("a single document that is shown before it is stored", async (t) => {
    const db = createClient<Schema>({
      ...{ url: app.url, serviceKey: app.key, WebSocket },
      fetch: async (url, init) => {
        if (init?.method === "POST") await wait(300);
        return fetch(url, init);
      },
    });
    t.teardown(() => db.close());
    const all = db.collection("people");
    const one = all.get("eli", { expand: ["team"] }).live();
    t.equal(await one.ready, null);
    // What shows own writes is loaded beside the socket.
    await wait(200);
    await all.create({ _id: "eli", name: "Eli", team: "red" });
    await until(() => one.state.error !== undefined || (one.state.synced && one.state.data !== null));
    t.equal(one.state.error, undefined);
    t.equal(one.state.data?._expanded.team?.name, "Team red");
    await all.delete("eli");
  });

  t.test("what was refused is asked anew by whoever asks later, though the first has not gone", async (t) => {
    await publishRules(app, {
      format: 1,
      collections: { people: { list: { boss: "$auth.id" }, get: "list" }, teams: { list: true, get: true } },
    });
    const db = createClient<Schema>({ url: app.url, WebSocket });
    t.teardown(() => db.close());
    const mine = db.collection("people").find({}, { expand: ["team"] });
    const first = mine.live();
    await t.rejects(first.ready, { code: "unauthenticated" });
    const { user } = await db.auth.signUp({ email: "ann@example.org", password: "plum-orbit-lantern-42" });
    await people.create({ _id: "own", name: "Own", team: "red", boss: user?.id ?? "" });
    const second = mine.live();
    t.match(await second.ready, [{ name: "Own", _expanded: { team: { name: "Team red" } } }]);
    first.close();
    t.match(await mine.live().ready, [{ name: "Own" }]);
    await people.delete("own");
  });

  t.test("more is referred to than one subscription may name", async (t) => {
    const count = 300;
    for (let from = 0; from < count; from += 150) {
      await writer.batch((b) => {
        for (let n = from; n < from + 150; n++) {
          b.collection("teams").create({ _id: `t${n}`, name: `T${n}` });
          b.collection("people").create({ _id: `m${n}`, name: `Member ${n}`, team: `t${n}` });
        }
      });
    }
    const live = open(t)
      .collection("people")
      .find({ name: { $startsWith: "Member" } }, { limit: 1000, expand: ["team"] })
      .live();
    // Somebody else's writes may come a moment later.
    await until(() => live.state.data?.length === count);
    t.ok(live.state.data?.every(({ team, _expanded }) => _expanded.team?.name === `T${team?.slice(1)}`));
    await teams.update("t299", { name: "The last" });
    await until(() => live.state.data?.some(({ _expanded }) => _expanded.team?.name === "The last") === true);
    live.close();
  });

  t.test("a document may be called as members of objects are", async (t) => {
    const odd = ["__proto__", "constructor"];
    await writer.batch((b) => {
      for (const id of odd)
        b.collection("people").create({ _id: id, name: "Odd", boss: id, friends: [id, "toString"] });
    });
    const list = open(t)
      .collection("people")
      .find({ name: "Odd" }, { sort: "_id", expand: ["boss", "friends"] });
    const namesOf = (found: Awaited<typeof list>) =>
      found.map(({ _expanded: { boss, friends } }) => [boss?._id, friends?.map((friend) => friend?._id)]);
    const names = odd.map((id) => [id, [id, undefined]]);
    t.same(namesOf(await list), names, "asked once");
    t.same(namesOf(await list.live().ready), names, "watched");
    await writer.batch((b) => {
      for (const id of odd) b.collection("people").delete(id);
    });
  });

  t.test("what cannot be followed is refused as over HTTP", async (t) => {
    const wrong = open(t)
      .collection("people")
      .find({}, { expand: ["name"] as never });
    const error = await wrong.then(
      () => undefined,
      ({ code, message }: { code: string; message: string }) => ({ code, message }),
    );
    t.match(error, { code: "invalid_argument" });
    await t.rejects(wrong.live().ready, error as { code: string });
  });
});
