/** Generated rules beside what they mean in plain code, so that who may see what is not asked of the judge that is on trial. */
import type { Random } from "./trap-pool.ts";

/** What is known of the one who asks. */
export interface WorldCaller {
  readonly id: string;
  readonly editor: boolean;
  readonly teams: readonly string[];
  readonly runs: readonly string[];
}

export type Fields = Readonly<Record<string, unknown>>;
type Holds = (document: Fields, caller: WorldCaller) => boolean;

/** A rule, and whether it holds. */
interface Piece {
  readonly rule: unknown;
  readonly holds: Holds;
}

export const ACTIONS = ["list", "get", "create", "update", "delete"] as const;
export type WorldAction = (typeof ACTIONS)[number];

/** A mask, and whether it hides its field. */
interface Mask {
  readonly mask: object;
  readonly hides: Holds;
}

export interface WorldRules {
  /** As they are published. */
  readonly rules: object;
  /** The same with fewer rights. */
  narrowed(action: WorldAction): object;
  /** Whether somebody may do anything at all with a post that is stored. */
  reaches(document: Fields, caller: WorldCaller): boolean;
  /** The masked paths of a post that the caller may not read. */
  hidden(document: Fields, caller: WorldCaller): string[];
}

const values = (value: unknown): readonly unknown[] => (Array.isArray(value) ? value : [value]);
const isMine: Holds = ({ ownerId }, { id }) => values(ownerId).includes(id);
const inTeam: Holds = ({ teamId }, { teams }) => values(teamId).some((team) => teams.includes(String(team)));

/** They ask only for what nobody but the server changes, so that what is hidden at the start stays so. */
const PIECES: readonly Piece[] = [
  { rule: { ownerId: "$auth.id" }, holds: isMine },
  { rule: { ownerId: { $ne: "$auth.id" } }, holds: (document, caller) => !isMine(document, caller) },
  { rule: { open: true }, holds: ({ open }) => open === true },
  { rule: { $nor: [{ open: true }] }, holds: ({ open }) => open !== true },
  { rule: { teamId: { $in: "$lookup.myTeams" } }, holds: inTeam },
  { rule: { $use: "team", open: { $exists: true } }, holds: (d, c) => inTeam(d, c) && d.open !== undefined },
  { rule: { "$auth.roles": "editor" }, holds: (_document, { editor }) => editor },
  { rule: { "$auth.kind": { $in: ["user", "guest"] }, ownerId: "$auth.id" }, holds: isMine },
];
const RUNS: Piece = {
  rule: { $has: "runsTeam" },
  holds: ({ teamId }, { runs }) => typeof teamId === "string" && runs.includes(teamId),
};
const ALWAYS: Piece = { rule: true, holds: () => true };
const NEVER: Piece = { rule: false, holds: () => false };

const MASKS: Readonly<Record<string, Mask>> = {
  secret: { mask: { read: false }, hides: () => true },
  memo: { mask: { read: false, write: true }, hides: () => true },
  notes: { mask: { read: { ownerId: "$auth.id" } }, hides: (document, caller) => !isMine(document, caller) },
  price: { mask: { read: { "$auth.roles": "editor" } }, hides: (_document, { editor }) => !editor },
  tag: { mask: { read: { $use: "team" } }, hides: (document, caller) => !inTeam(document, caller) },
  "profile.phone": { mask: { read: false }, hides: () => true },
  "items.cost": { mask: { read: false }, hides: () => true },
};
const PINNED = Object.fromEntries(["ownerId", "teamId", "open"].map((field) => [field, { immutable: true }]));
const LOOKUPS = {
  myTeams: { from: "members", where: { userId: "$auth.id" }, select: "teamId" },
  runsTeam: { from: "members", where: { teamId: "$doc.teamId", userId: "$auth.id", role: "admin" } },
};

export function randomRules(random: Random): WorldRules {
  const made = Object.fromEntries(ACTIONS.map((action) => [action, randomRule(random, action !== "list")]));
  const rules = made as Record<WorldAction, Piece>;
  const masked = random.some(Object.keys(MASKS), 1 + random.below(Object.keys(MASKS).length));
  const fields = Object.fromEntries(masked.map((path) => [path, (MASKS[path] as Mask).mask]));
  const setOf = (posts: Readonly<Record<string, unknown>>) => ({
    format: 1,
    shared: { lookups: LOOKUPS, macros: { team: { teamId: { $in: "$lookup.myTeams" } } } },
    collections: {
      posts: { ...posts, fields: { ...fields, ...PINNED, score: { write: false } } },
      people: { get: { public: true }, fields: { phone: { read: false } } },
      members: { list: { userId: "$auth.id" }, get: "list", delete: { userId: "$auth.id" } },
    },
  });
  const posts = Object.fromEntries(ACTIONS.map((action) => [action, rules[action].rule]));
  return {
    rules: setOf(posts),
    narrowed: (action) => setOf({ ...posts, [action]: false }),
    reaches: (document, caller) =>
      (["list", "get", "update", "delete"] as const).some((action) => rules[action].holds(document, caller)),
    hidden: (document, caller) => masked.filter((path) => (MASKS[path] as Mask).hides(document, caller)),
  };
}

function randomRule(random: Random, documents: boolean): Piece {
  const pieces = documents ? [...PIECES, RUNS] : PIECES;
  if (random.chance(10)) return random.pick([ALWAYS, NEVER]);
  const [one, other] = random.some(pieces, 2) as [Piece, Piece];
  if (random.chance(45)) return one;
  if (random.chance(25)) {
    return { rule: { $and: [one.rule, other.rule] }, holds: (d, c) => one.holds(d, c) && other.holds(d, c) };
  }
  return { rule: { $or: [one.rule, other.rule] }, holds: (d, c) => one.holds(d, c) || other.holds(d, c) };
}
