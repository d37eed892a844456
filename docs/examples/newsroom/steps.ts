import { ApiError, type ErrorCode } from "@galley/sdk";
import type { Db, People, Who } from "./people.ts";

type Ids = People["ids"];

/** What somebody does, and how it must end. */
export interface Step {
  readonly as: Who;
  readonly does: string;
  readonly act: (db: Db, ids: Ids) => Promise<unknown>;
  /** Allowed: what is seen, as far as it matters here. */
  readonly sees?: unknown;
  /** Denied: with this code. */
  readonly denied?: ErrorCode;
}

const articles = (db: Db) => db.collection("articles");
const memberships = (db: Db) => db.collection("memberships");
const notes = (db: Db) => db.collection("notes");
const users = (db: Db) => db.collection("users");
const titles = async (db: Db) => (await articles(db).find({}, { sort: "title" })).map(({ title }) => title);

/** A day in the newsroom, in order: what is allowed and what is not, and to whom. */
export const STEPS: readonly Step[] = [
  // Teams and who is in them: documents like any other, which the rules look up.
  { as: "eva", does: "opens a team", act: (db) => db.collection("teams").set("city", { name: "City" }) },
  {
    ...{ as: "ann", does: "opens a team of her own", denied: "permission_denied" },
    act: (db) => db.collection("teams").set("mine", { name: "Mine" }),
  },
  {
    ...{ as: "eva", does: "makes Lea its lead" },
    act: (db, { lea }) => memberships(db).set("lea", { teamId: "city", userId: lea, role: "lead" }),
  },
  {
    ...{ as: "lea", does: "takes Ann in as a writer" },
    act: (db, { ann }) => memberships(db).set("ann", { teamId: "city", userId: ann, role: "writer" }),
  },
  {
    ...{ as: "ben", does: "takes himself in", denied: "permission_denied" },
    act: (db, { ben }) => memberships(db).set("ben", { teamId: "city", userId: ben, role: "writer" }),
  },
  {
    ...{ as: "ann", does: "makes herself lead", denied: "permission_denied" },
    act: (db) => memberships(db).update("ann", { role: "lead" }),
  },
  {
    ...{ as: "reader", does: "asks which teams there are", denied: "unauthenticated" },
    act: (db) => db.collection("teams").find(),
  },

  // Drafts.
  {
    ...{ as: "ann", does: "writes a draft for her team; the server fills in author and status" },
    act: async (db, { ann }) => {
      const { status, authorId } = await articles(db).create({ _id: "rain", title: "Rain", teamId: "city" });
      return { status, hers: authorId === ann };
    },
    sees: { status: "draft", hers: true },
  },
  {
    ...{ as: "ben", does: "writes for a team that is not his", denied: "permission_denied" },
    act: (db) => articles(db).create({ title: "Goal", teamId: "city" }),
  },
  {
    ...{ as: "ann", does: "writes in Lea's name", denied: "permission_denied" },
    act: (db, { lea }) => articles(db).create({ title: "Wind", teamId: "city", authorId: lea }),
  },
  {
    ...{ as: "ann", does: "publishes without asking", denied: "permission_denied" },
    act: (db) => articles(db).create({ title: "Snow", teamId: "city", status: "published" }),
  },
  { as: "reader", does: "looks for articles", act: titles, sees: [] },
  { as: "ben", does: "opens the draft by its id", act: (db) => articles(db).get("rain"), sees: null },
  { as: "lea", does: "looks for articles", act: titles, sees: ["Rain"] },
  { as: "ann", does: "changes her draft", act: (db) => articles(db).update("rain", { body: "It rains." }) },
  {
    ...{ as: "ben", does: "changes a draft that he cannot see", denied: "not_found" },
    act: (db) => articles(db).update("rain", { body: "It shines." }),
  },
  {
    ...{ as: "ann", does: "publishes it herself", denied: "permission_denied" },
    act: (db) => articles(db).update("rain", { status: "published" }),
  },

  // Editing and publishing.
  { as: "lea", does: "leaves a remark", act: (db) => articles(db).update("rain", { remarks: "Since when?" }) },
  {
    ...{ as: "ann", does: "reads the remark", sees: "Since when?" },
    act: async (db) => (await articles(db).get("rain"))?.remarks,
  },
  {
    ...{ as: "ann", does: "takes the remark away", denied: "permission_denied" },
    act: (db) => articles(db).update("rain", { $unset: ["remarks"] }),
  },
  {
    ...{ as: "eva", does: "puts her own name on it", denied: "permission_denied" },
    act: (db, { eva }) => articles(db).update("rain", { authorId: eva }),
  },
  { as: "eva", does: "publishes it", act: (db) => articles(db).update("rain", { status: "published" }) },
  { as: "reader", does: "looks for articles again", act: titles, sees: ["Rain"] },
  {
    ...{ as: "reader", does: "reads it, without the remarks", sees: { body: "It rains.", remarks: undefined } },
    act: async (db) => {
      const { body, remarks } = (await articles(db).get("rain")) ?? {};
      return { body, remarks };
    },
  },
  {
    ...{ as: "reader", does: "guesses at a remark by a question", denied: "field_not_queryable" },
    act: (db) => articles(db).find({ remarks: { $startsWith: "S" } }),
  },
  {
    ...{ as: "ann", does: "changes what is published", denied: "permission_denied" },
    act: (db) => articles(db).update("rain", { body: "It does not." }),
  },
  {
    ...{ as: "ann", does: "removes what is published", denied: "permission_denied" },
    act: (db) => articles(db).delete("rain"),
  },

  // Private notes.
  { as: "ann", does: "keeps a note", act: (db) => notes(db).create({ _id: "mayor", text: "Call the mayor" }) },
  { as: "guest", does: "keeps a note as well", act: (db) => notes(db).create({ text: "Nice paper" }) },
  { as: "eva", does: "opens Ann's note", act: (db) => notes(db).get("mayor"), sees: null },
  { as: "eva", does: "counts all notes", act: (db) => notes(db).find().count(), sees: { count: 0, more: false } },
  {
    ...{ as: "ann", does: "gives her note away", denied: "permission_denied" },
    act: (db, { ben }) => notes(db).update("mayor", { ownerId: ben }),
  },

  // A public profile with a hidden address.
  {
    ...{ as: "reader", does: "opens Ann's profile", sees: { handle: "ann", address: undefined } },
    act: async (db, { ann }) => {
      const { handle, address } = (await users(db).get(ann)) ?? {};
      return { handle, address };
    },
  },
  {
    ...{ as: "ann", does: "finds her address in it", sees: "ann's street 1" },
    act: async (db, { ann }) => (await users(db).get(ann))?.address,
  },
  {
    ...{ as: "ben", does: "looks who lives there", denied: "field_not_queryable" },
    act: (db) => users(db).find({ address: "ann's street 1" }),
  },
  {
    ...{ as: "ann", does: "says that she is verified", denied: "permission_denied" },
    act: (db, { ann }) => users(db).update(ann, { verified: true }),
  },
  { as: "eva", does: "verifies her", act: (db, { ann }) => users(db).update(ann, { verified: true }) },
  {
    ...{ as: "eva", does: "moves her elsewhere", denied: "permission_denied" },
    act: (db, { ann }) => users(db).update(ann, { address: "nowhere" }),
  },

  // Rights end at once.
  { as: "ann", does: "leaves the team", act: (db) => memberships(db).delete("ann") },
  {
    ...{ as: "ann", does: "writes for it once more", denied: "permission_denied" },
    act: (db) => articles(db).create({ title: "Farewell", teamId: "city" }),
  },
];

/** Takes a step. @returns in words how it ended, if it ended as it must */
export async function take({ as, does, act, sees, denied }: Step, { clients, ids }: People): Promise<string> {
  const said = `${as} ${does}`;
  let seen: unknown;
  try {
    seen = await act(clients[as], ids);
  } catch (error) {
    if (!denied || !ApiError.is(error, denied)) throw error;
    return `${said}: ${error.code}, ${error.message}`;
  }
  if (denied) throw new Error(`${said}: should have been denied`);
  if (sees === undefined) return `${said}: allowed`;
  const text = JSON.stringify(seen);
  if (text !== JSON.stringify(sees)) throw new Error(`${said}: sees ${text}, not ${JSON.stringify(sees)}`);
  return `${said}: sees ${text}`;
}
