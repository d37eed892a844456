/** Rules, questions about them and what is explained, for tests/api/explain.test.ts. */

export type Body = Record<string, unknown>;

export const RULES = {
  shared: {
    lookups: {
      myTeams: { from: "members", where: { userId: "$auth.id" }, select: "teamId" },
      runsTeam: { from: "members", where: { teamId: "$doc.teamId", userId: "$auth.id", role: "admin" } },
    },
    macros: { team: { teamId: { $in: "$lookup.myTeams" } } },
  },
  collections: {
    posts: {
      macros: { author: { authorId: "$auth.id" } },
      list: { $or: [{ published: true }, { $use: "author" }] },
      get: "list",
      create: { $use: "author" },
      update: { before: { $use: "author" }, after: { published: { $ne: false } } },
      delete: { $or: [{ $use: "author" }, { "$auth.roles": "moderator" }] },
      fields: {
        authorId: { default: "$auth.id", immutable: true },
        score: { write: false },
        notes: { read: { authorId: "$auth.id" } },
      },
    },
    plans: { list: { $use: "team" }, get: "list", delete: { $has: "runsTeam" } },
    members: {},
  },
};

/** Questions, and what their explanations must hold, where Ann wrote the posts p1 (published) and p2, and is in the team of the plan x1. */
export function explained(annId: string, bobId: string): readonly (readonly [question: Body, expected: Body])[] {
  const [byAnn, byBob, nobody] = [{ userId: annId }, { userId: bobId }, { anonymous: true }];
  const p2 = { collection: "posts", id: "p2" };
  const rows: [question: Body, expected: Body][] = [
    [
      { as: byBob, action: "update", collection: "posts", id: "p1", update: { title: "b" } },
      {
        ...{ verdict: "deny", status: 403, code: "permission_denied" },
        because: "posts.update.before.$use(author).authorId",
        summary: `authorId is "${annId}"; the caller is "${bobId}"`,
        tree: { path: "posts.update.before", value: false },
        fields: { hidden: ["notes"], readOnly: ["authorId", "score", "notes"], notQueryable: ["notes"] },
      },
    ],
    [
      { as: byBob, action: "update", ...p2, update: { title: "b" } },
      { verdict: "deny", status: 404, code: "not_found" },
    ],
    [
      { as: byAnn, action: "update", collection: "posts", id: "p1", update: { published: false } },
      {
        verdict: "deny",
        status: 403,
        because: "posts.update.after.published.$ne",
        summary: "published is false; must not be false",
      },
    ],
    [
      { as: byAnn, action: "update", collection: "posts", id: "p1", update: { title: "b" } },
      { verdict: "allow", status: 200, fields: { changed: ["title"] } },
    ],
    [
      { as: byAnn, action: "update", collection: "posts", id: "p1", next: { authorId: bobId } },
      { verdict: "deny", status: 403, because: "posts.fields.authorId.immutable" },
    ],
    [
      { as: byAnn, action: "create", collection: "posts", document: { title: "c", score: 1 } },
      { verdict: "deny", status: 403, because: "posts.fields.score.write" },
    ],
    [
      { as: byAnn, action: "create", collection: "posts", document: { title: "c" } },
      { verdict: "allow", status: 201 },
    ],
    [
      { as: nobody, action: "create", collection: "posts" },
      { verdict: "deny", status: 401, poisoned: [{ variable: "$auth.id", reason: "the caller is not signed in" }] },
    ],
    [
      { as: byAnn, action: "create", collection: "posts" },
      { verdict: "unknown", because: [] },
    ],
    [
      { as: nobody, action: "get", ...p2 },
      {
        verdict: "deny",
        status: 404,
        because: "posts.list.$or[0].published",
        summary: "published is false; must be true",
      },
    ],
    [
      { as: nobody, action: "get", collection: "posts", id: "none" },
      { status: 404, because: [], summary: /no such document/ },
    ],
    [
      { as: byBob, action: "list", collection: "posts", filter: { notes: "n" } },
      { verdict: "deny", code: "field_not_queryable", because: "posts.fields.notes.read" },
    ],
    [
      { as: byBob, action: "list", collection: "posts" },
      { verdict: "allow", status: 200, plan: { filter: { $or: [{}, {}] }, scan: true, indexes: [] } },
    ],
    [
      { as: { roles: ["moderator"] }, action: "delete", ...p2 },
      { verdict: "allow", status: 204, because: "posts.delete.$or[1].$auth.roles" },
    ],
    [
      { as: byBob, action: "get", collection: "things", id: "x" },
      { verdict: "deny", status: 403, summary: /no rules speak of things/ },
    ],
    [
      { as: byBob, action: "get", collection: "plans", id: "x1" },
      {
        status: 404,
        because: "plans.list.$use(team).teamId.$in",
        lookups: [{ name: "myTeams", from: "members", count: 0, values: [], overflow: false }],
      },
    ],
    [
      { as: byAnn, action: "get", collection: "plans", id: "x1" },
      { verdict: "allow", lookups: [{ name: "myTeams", count: 1, values: ["t1"], overflow: false, ms: Number }] },
    ],
    [
      { as: byAnn, action: "delete", collection: "plans", id: "x1" },
      {
        verdict: "deny",
        status: 403,
        summary: 'the lookup "runsTeam" finds nothing',
        lookups: [{ name: "runsTeam", found: false }],
      },
    ],
    [
      { as: byBob, action: "get", ...p2, rules: { collections: { posts: { get: true } } } },
      { verdict: "allow", because: "posts.get" },
    ],
    [
      { as: byBob, action: "get", collection: "posts", document: { published: true } },
      { verdict: "allow", because: "posts.list.$or[0].published" },
    ],
  ];
  return rows;
}
