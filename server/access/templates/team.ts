import type { Declaration, Template } from "./template.ts";

const TEAM = { $use: "team" };
const RUNS = { $use: "runs" };
const text = { type: "string" };

/** Where teams and who is in them lie, whichever collections belong to teams. */
const PEOPLE: readonly Declaration[] = [
  {
    name: "teams",
    schema: { type: "object", properties: { ownerId: text }, required: ["ownerId"] },
    indexes: [{ paths: ["ownerId"] }],
  },
  {
    name: "team_members",
    schema: {
      type: "object",
      properties: { teamId: text, userId: text, role: text },
      required: ["teamId", "userId"],
    },
    // What is unique serves only who asks for all of it.
    indexes: [{ paths: ["teamId", "userId"], unique: true }, { paths: ["teamId"] }, { paths: ["userId"] }],
  },
];

/** Each document is a team's; a team is its founder's, who lets others in. */
export function teamTemplate(collection: string, field: string): Template {
  return {
    declarations: [declarationOf(collection, field), ...PEOPLE],
    rules: {
      shared: {
        lookups: {
          myTeams: { from: "team_members", where: { userId: "$auth.id" }, select: "teamId" },
          runsTeam: runsBy("teamId"),
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
          ...{ list: TEAM, get: "list", create: RUNS, update: RUNS },
          delete: { $or: [{ userId: "$auth.id" }, RUNS] },
          fields: { teamId: { immutable: true }, userId: { immutable: true } },
        },
        [collection]: {
          // What is shared goes by teamId; another field needs its own.
          ...(field !== "teamId" && {
            macros: { team: { [field]: { $in: "$lookup.myTeams" } } },
            lookups: { runsTeam: runsBy(field) },
          }),
          ...{ list: TEAM, get: "list", create: { ...TEAM, authorId: "$auth.id" }, update: TEAM },
          delete: { $or: [{ authorId: "$auth.id", ...TEAM }, { $has: "runsTeam" }] },
          fields: { [field]: { immutable: true }, authorId: { default: "$auth.id", immutable: true } },
        },
      },
    },
    tests: testsOf(collection, field),
  };
}

function declarationOf(name: string, field: string): Declaration {
  return {
    name,
    schema: { type: "object", properties: { [field]: text, authorId: text }, required: [field, "authorId"] },
    indexes: [{ paths: [field] }],
  };
}

function runsBy(field: string) {
  return { from: "team_members", where: { teamId: `$doc.${field}`, userId: "$auth.id", role: "admin" } };
}

function testsOf(collection: string, field: string): Template["tests"] {
  const named = (name: string) => `${collection}-${name}`;
  const [ann, bob, eve, team, id] = [named("ann"), named("bob"), named("eve"), named("team"), named("1")];
  const test = (place: string, name: string, as: string, expected: object) => ({
    ...{ name: `${collection}: ${name}`, as, in: place },
    ...expected,
  });
  const of = (name: string, as: string, expected: object) => test(collection, name, as, expected);
  const members = (name: string, as: string, expected: object) => test("team_members", name, as, expected);
  const make = { with: { [field]: team } };
  return {
    users: { [ann]: { id: ann }, [bob]: { id: bob }, [eve]: { id: eve } },
    documents: {
      [collection]: [{ _id: id, [field]: team, authorId: bob }],
      teams: [{ _id: team, ownerId: ann }],
      team_members: [
        { _id: ann, teamId: team, userId: ann, role: "admin" },
        { _id: bob, teamId: team, userId: bob, role: "member" },
      ],
    },
    tests: [
      of("members list what is their team's", ann, { lists: [id] }),
      of("nobody else does", eve, { lists: [] }),
      of("members add to it", bob, { can: "create", ...make }),
      of("nobody else does it", eve, { cannot: "create", ...make }),
      of("members change it", ann, { can: "update", id, with: { seen: true } }),
      of("nobody else changes it", eve, { cannot: "update", id, with: { seen: true } }),
      of("nothing goes to another team", ann, {
        cannot: "update",
        id,
        with: { [field]: "x" },
        because: `fields.${field}`,
      }),
      of("an author deletes it", bob, { can: "delete", id }),
      of("so does who runs the team", ann, { can: "delete", id }),
      of("nobody else deletes it", eve, { cannot: "delete", id }),
      members("who runs a team lets others in", ann, { can: "create", with: { teamId: team, userId: eve } }),
      members("nobody lets themselves in", eve, { cannot: "create", with: { teamId: team, userId: eve } }),
      members("nobody promotes themselves", bob, { cannot: "update", id: bob, with: { role: "admin" } }),
      members("who is in may leave", bob, { can: "delete", id: bob }),
    ],
  };
}
