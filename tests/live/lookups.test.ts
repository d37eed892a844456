/** Set lookups of rules as live sets: exact after every commit, whatever becomes of what they read; access-rules.md 5. */
import t from "tap";
import { GalleyError } from "#protocol/errors";
import type { DocumentStore } from "../../server/stores/document-store.ts";
import { startLiveNode } from "../support/live-node.ts";
import { until } from "../support/until.ts";

const RULES = {
  format: 1,
  shared: {
    lookups: {
      orgs: { from: "staff", where: { userId: "$auth.id" }, select: "org" },
      teams: { from: "teams", where: { org: { $in: "$lookup.orgs" } }, select: "names", max: 3 },
      banned: { from: "bans", where: { active: true }, select: "word", max: 2 },
    },
  },
  collections: {
    notes: { list: { team: { $in: "$lookup.teams" } }, get: "list" },
    words: { list: { word: { $nin: "$lookup.banned" } }, get: "list" },
  },
};

t.test("a lookup by another lookup follows both, through arrays, overflow, null and a drop", async (t) => {
  const node = await startLiveNode(t, { rules: RULES });
  node.people.user("ann");
  for (const team of ["a", "b", "c", "d", "e"]) await node.put("notes", team, { team });
  await node.put("staff", "s1", { userId: "ann", org: "x" });
  await node.put("teams", "t1", { org: "x", names: ["a", "b", null] });
  await node.put("teams", "t2", { org: "y", names: "c" });
  const ann = await node.welcome("ann");
  const s = ann.find("notes");
  await ann.answered(s);
  const shows = async (ids: string[], why: string) => {
    const isThere = () => JSON.stringify(ann.ids(s)) === JSON.stringify(ids);
    await until(isThere, 5, `${why}: ${ids} in place of ${ann.ids(s)}`);
    t.pass(why);
  };
  await shows(["a", "b"], "values of an array");
  await node.put("staff", "s2", { userId: "ann", org: "y" });
  await shows(["a", "b", "c"], "a second organisation");
  await node.put("teams", "t3", { org: "x", names: ["a", "d"] });
  await shows([], "four values poison a lookup of three");
  await node.put("teams", "t4", { org: "y", names: "e" });
  await node.remove("teams", "t4");
  await node.put("teams", "t3", { org: "x", names: ["a", "b"] });
  await shows(["a", "b", "c"], "three again");
  await node.put("teams", "t1", { org: "x", names: ["b"] });
  await shows(["a", "b", "c"], "what two documents bring is there until both are gone");
  await node.remove("teams", "t3");
  await shows(["b", "c"], "a document that is gone");
  await node.remove("staff", "s1");
  await shows(["c"], "an organisation that is left");
  await node.put("staff", "s2", { userId: "ben", org: "y" });
  await shows([], "a membership that becomes another's");
  await node.put("staff", "s2", { userId: "ann", org: "y" });
  await shows(["c"], "and one's own again");
  await node.store.dropCollection("teams");
  await shows([], "a collection that is dropped");
  t.equal(node.counters.renewals, 1, "only hello asked who it is");
  t.same(ann.complaints, []);
});

t.test("what was decided by a list that was cut short would open what is closed", async (t) => {
  const node = await startLiveNode(t, { rules: RULES });
  for (const word of ["a", "b", "c"]) await node.put("words", word, { word });
  await node.put("bans", "b1", { active: true, word: "a" });
  const socket = await node.welcome();
  const s = socket.find("words");
  await socket.answered(s);
  t.same(socket.ids(s), ["b", "c"]);
  await node.batch(
    { op: "create", collection: "bans", id: "b2", document: { active: true, word: "b" } },
    { op: "create", collection: "bans", id: "b3", document: { active: true, word: "c" } },
  );
  await until(() => socket.ids(s).length === 0);
  await node.put("bans", "b2", { active: false, word: "b" });
  await until(() => socket.ids(s).length === 1);
  t.same(socket.ids(s), ["b"]);
  t.same(socket.complaints, []);
});

t.test("what is written while a lookup is read counts, and a read that fails is tried again", async (t) => {
  let reads = 0;
  let during: (() => Promise<unknown>) | undefined;
  const between = (store: DocumentStore): DocumentStore => ({
    ...store,
    async find(query) {
      if (query.collection !== "staff") return store.find(query);
      const found = await store.find(query);
      const work = during;
      during = undefined;
      await work?.();
      if (reads++ === 0) throw new GalleyError("unavailable", "away");
      return found;
    },
  });
  const node = await startLiveNode(t, { rules: RULES, between });
  node.people.user("ann");
  await node.put("teams", "t1", { org: "x", names: "a" });
  await node.put("notes", "a", { team: "a" });
  await node.put("staff", "s1", { userId: "ann", org: "x" });
  const ann = await node.welcome("ann");
  const s = ann.find("notes");
  await until(() => reads === 1, 5, "a read that fails");
  // The document is deleted after it was read, and before that is known.
  during = () => node.remove("staff", "s1");
  await ann.answered(s);
  await until(() => ann.ids(s).length === 0);
  t.ok(reads >= 2);
  await node.put("staff", "s1", { userId: "ann", org: "x" });
  await until(() => ann.ids(s).length === 1);
  t.same(ann.complaints, []);
  t.equal(ann.of(s).error, undefined);
});

t.test(
  "of too many documents only the values are held: each write has them read anew, and nothing stale shows",
  async (t) => {
    const reads = { find: 0, count: 0, distinct: 0 };
    let during: (() => Promise<unknown>) | undefined;
    const note = (kind: keyof typeof reads, collection: string) => {
      if (collection === "staff") reads[kind]++;
    };
    const between = (store: DocumentStore): DocumentStore => ({
      ...store,
      find(query) {
        note("find", query.collection);
        return store.find(query);
      },
      count(query) {
        note("count", query.collection);
        return store.count(query);
      },
      async distinct(query) {
        note("distinct", query.collection);
        const found = await store.distinct(query);
        const work = during;
        during = undefined;
        await work?.();
        return found;
      },
    });
    const node = await startLiveNode(t, { rules: RULES, between, limits: { lookupDocuments: 3 } });
    node.people.user("ann");
    const all = ["a", "b", "c", "d", "e"];
    for (const team of all) {
      await node.put("notes", team, { team });
      await node.put("teams", team, { org: team, names: team });
    }
    const staff = (id: string, org: string, userId = "ann") => node.put("staff", id, { userId, org });
    for (const [i, org] of ["a", "a", "b", "b"].entries()) await staff(`s${i}`, org);
    const ann = await node.welcome("ann");
    const s = ann.find("notes");
    await ann.answered(s);
    const shows = async (ids: string[], why: string) => {
      const isThere = () => JSON.stringify(ann.ids(s)) === JSON.stringify(ids);
      await until(isThere, 5, () => `${why}: ${ids} in place of ${ann.ids(s)}`);
      t.pass(why);
    };
    await shows(["a", "b"], "four documents of two values");
    t.match(reads, { find: 1, count: 0, distinct: 1 });

    await staff("s4", "c");
    await shows(["a", "b", "c"], "another value");
    t.match(reads, { find: 1, distinct: 2 }, "what is known to be too many is not read one by one again");
    await node.remove("staff", "s4");
    await shows(["a", "b"], "a value whose last document is gone");
    await node.remove("staff", "s0");
    await node.put("notes", "f", { team: "a" });
    await shows(["a", "b", "f"], "three documents: they are held again");
    const { find, distinct } = reads;
    await staff("s5", "d", "ben");
    await staff("s1", "d");
    await shows(["b", "d"], "one that moves");
    t.match(reads, { find, distinct }, "and followed one by one, without another read");

    await staff("s6", "e");
    await shows(["b", "d", "e"], "four again: held as they are, until they are read anew");
    node.loseOrder();
    await until(() => reads.distinct > distinct);
    await shows(["b", "d", "e"], "read anew: too many");
    // Written after the values were read, and before they are known.
    during = () => node.remove("staff", "s6");
    await staff("s7", "a");
    await shows(["a", "b", "d", "f"], "what was written meanwhile has it read once more");
    t.same(ann.complaints, []);
    t.equal(ann.of(s).error, undefined);
  },
);

t.test("values of too many documents that change faster than they are read are nobody's right", async (t) => {
  let n = 0;
  let isBusy = false;
  const between = (store: DocumentStore): DocumentStore => ({
    ...store,
    async distinct(query) {
      const found = await store.distinct(query);
      if (isBusy) await write(`other${n++}`);
      return found;
    },
  });
  const node = await startLiveNode(t, { rules: RULES, between, limits: { lookupDocuments: 1 } });
  const write = (id: string) => node.put("staff", id, { userId: "ben", org: "x" });
  node.people.user("ann");
  await node.put("teams", "t", { org: "x", names: "a" });
  await node.put("notes", "a", { team: "a" });
  for (const id of ["s1", "s2"]) await node.put("staff", id, { userId: "ann", org: "x" });
  const ann = await node.welcome("ann");
  const s = ann.find("notes");
  await until(() => ann.ids(s).length === 1);
  isBusy = true;
  await write("first");
  await until(() => ann.of(s).error !== undefined, 20);
  t.match(ann.of(s).error, { code: "unavailable" }, "it can be asked again");
  t.ok(n <= 10, `${n} reads, with pauses between them`);
  isBusy = false;
  const again = ann.find("notes");
  await until(() => ann.ids(again).length === 1);
});
