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
