/** The example of access-rules.md 2. */
export const EXAMPLE_RULES = {
  format: 1,
  shared: { macros: {}, lookups: {}, require: [] },
  collections: {
    posts: {
      lookups: { myTeams: { from: "team_members", where: { userId: "$auth.id" }, select: "teamId", max: 1000 } },
      macros: { member: { teamId: { $in: "$lookup.myTeams" } }, author: { authorId: "$auth.id" } },
      list: { $or: [{ published: true }, { $use: "member" }] },
      get: "list",
      create: { $use: ["author", "member"] },
      update: { before: { $use: "author" }, after: { $use: "member" } },
      delete: { $or: [{ $use: "author" }, { "$auth.roles": "moderator" }] },
      fields: {
        authorId: { default: "$auth.id", immutable: true },
        score: { write: false },
        notes: { read: { authorId: "$auth.id" } },
      },
    },
  },
  buckets: { avatars: { list: false, get: true, create: { owner: "$auth.id" }, update: { owner: "$auth.id" } } },
};

const OWNER = {
  macros: { mine: { ownerId: "$auth.id" } },
  list: { $use: "mine" },
  get: "list",
  create: { $use: "mine" },
  update: { $use: "mine" },
  delete: { $use: "mine" },
  fields: { ownerId: { default: "$auth.id", immutable: true } },
};

const TEAM = {
  shared: {
    lookups: {
      myTeams: { from: "team_members", where: { userId: "$auth.id" }, select: "teamId" },
      runsTeam: { from: "team_members", where: { teamId: "$doc.teamId", userId: "$auth.id", role: "admin" } },
      foundedTeam: { from: "teams", where: { _id: "$doc.teamId", ownerId: "$auth.id" } },
    },
    macros: {
      team: { teamId: { $in: "$lookup.myTeams" } },
      runs: { $or: [{ $has: "runsTeam" }, { $has: "foundedTeam" }] },
    },
  },
  collections: {
    teams: {
      list: { _id: { $in: "$lookup.myTeams" } },
      get: { $or: [{ ownerId: "$auth.id" }, { _id: { $in: "$lookup.myTeams" } }] },
      create: { ownerId: "$auth.id", "$auth.kind": "user" },
      update: { ownerId: "$auth.id" },
      delete: { ownerId: "$auth.id" },
    },
    team_members: {
      list: { $use: "team" },
      get: "list",
      create: { $use: "runs" },
      update: { $use: "runs" },
      delete: { $or: [{ userId: "$auth.id" }, { $use: "runs" }] },
      fields: { teamId: { immutable: true }, userId: { immutable: true } },
    },
    notes: {
      list: { $use: "team" },
      get: "list",
      create: { $use: "team", authorId: "$auth.id" },
      update: { $use: "team" },
      delete: { $or: [{ authorId: "$auth.id", $use: "team" }, { $has: "runsTeam" }] },
      fields: { teamId: { immutable: true }, authorId: { default: "$auth.id", immutable: true } },
    },
  },
};

const INVITED = { from: "team_invites", where: { teamId: "$doc.teamId", email: "$auth.email", role: "$doc.role" } };

/** What access-rules.md 13 shows, each as a whole set. */
export const RULE_TEMPLATES = {
  example: EXAMPLE_RULES,
  owner: { format: 1, collections: { todos: OWNER } },
  publicRead: { format: 1, collections: { todos: { ...OWNER, list: true } } },
  team: TEAM,
  invitation: {
    ...TEAM,
    collections: {
      ...TEAM.collections,
      team_members: {
        ...TEAM.collections.team_members,
        lookups: { invited: INVITED },
        create: { $or: [{ $use: "runs" }, { $has: "invited", userId: "$auth.id" }] },
      },
    },
  },
  tenant: {
    shared: { macros: { tenant: { tenantId: "$auth.claims.tenant" } }, require: ["tenant"] },
    collections: {
      invoices: { list: { $use: "tenant", paid: true }, get: "list", fields: { tenantId: { immutable: true } } },
    },
  },
  fieldLevel: {
    collections: {
      users: {
        list: true,
        get: true,
        create: { _id: "$auth.id" },
        update: { _id: "$auth.id" },
        fields: { phone: { read: { _id: "$auth.id" } }, badge: { write: { "$auth.roles": "editor" } } },
      },
    },
  },
  editWindow: {
    collections: { posts: { update: { authorId: "$auth.id", _createdAt: { $gt: { $now: "-15m" } } } } },
  },
};
