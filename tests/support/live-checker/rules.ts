/** The access rules of the checked Galley, beside what they mean in plain code: the judge on trial is not asked. */

export type Fields = Readonly<Record<string, unknown>>;

/** Somebody at one position. */
export interface Person {
  /** Null: nobody has signed in. */
  readonly id: string | null;
  /** A full service key: no rule holds for it. */
  readonly key: boolean;
  readonly roles: readonly string[];
  /** Null: too many for the lookup, which then brings none. */
  readonly teams: ReadonlySet<string> | null;
}

export type Refusal = "permission_denied" | "unauthenticated";
/** 0: none was published, all is closed. */
export type Variant = 0 | 1 | 2;

/** Values of the lookup, beyond which it brings none. */
export const MOST_TEAMS = 3;

const MINE = { ownerId: "$auth.id" };
const OURS = { team: { $in: "$lookup.myTeams" } };
const EDITOR = { "$auth.roles": "editor" };

/** Rules as they are published. Their macro's name tells which of them they are. */
export function rulesOf(variant: 1 | 2): object {
  const isFirst = variant === 1;
  return {
    format: 1,
    shared: {
      macros: { [`variant${variant}`]: MINE },
      lookups: { myTeams: { from: "members", where: { userId: "$auth.id" }, select: "team", max: MOST_TEAMS } },
    },
    collections: {
      notes: {
        list: { $or: [MINE, OURS, ...(isFirst ? [{ open: true }] : [])] },
        get: "list",
        fields: isFirst ? { secret: { read: MINE }, grade: { read: EDITOR } } : { secret: { read: false } },
      },
      drafts: { list: isFirst ? EDITOR : { $or: [EDITOR, { open: true }] }, get: MINE },
      mixed: { list: true, get: true, ...(isFirst ? {} : { fields: { c: { read: EDITOR } } }) },
      members: { list: { userId: "$auth.id" }, get: "list" },
      bulk: { list: true, get: true },
    },
  };
}

/** Which rules a stored text of them is. */
export function variantIn(text: string): Variant {
  if (text.includes("variant1")) return 1;
  return text.includes("variant2") ? 2 : 0;
}

/** Why a question is refused, whatever documents there are; undefined if it is not. */
export function refusalOf(collection: string, byIds: boolean, person: Person, variant: Variant): Refusal | undefined {
  if (person.key) return undefined;
  const nobody = person.id === null;
  if (variant === 0) return nobody ? "unauthenticated" : "permission_denied";
  switch (collection) {
    case "notes":
      return nobody && variant === 2 ? "unauthenticated" : undefined;
    case "drafts":
      if (byIds) return nobody ? "unauthenticated" : undefined;
      if (variant === 2 || isEditor(person)) return undefined;
      return nobody ? "unauthenticated" : "permission_denied";
    case "members":
      return nobody ? "unauthenticated" : undefined;
    default:
      return undefined;
  }
}

/** Whether somebody may see a document at all. */
export function isVisible(
  collection: string,
  byIds: boolean,
  document: Fields,
  person: Person,
  variant: Variant,
): boolean {
  if (person.key) return true;
  switch (collection) {
    case "notes":
      return (
        isOwn(document, person) ||
        valuesOf(document.team).some((team) => person.teams?.has(String(team)) === true) ||
        (variant === 1 && valuesOf(document.open).includes(true))
      );
    case "drafts":
      if (byIds) return isOwn(document, person);
      return isEditor(person) || (variant === 2 && valuesOf(document.open).includes(true));
    case "members":
      return document.userId === person.id;
    default:
      return true;
  }
}

/** The fields of it that they may not read. */
export function hiddenIn(collection: string, document: Fields, person: Person, variant: Variant): readonly string[] {
  if (person.key) return [];
  if (collection === "mixed") return variant === 2 && !isEditor(person) ? ["c"] : [];
  if (collection !== "notes") return [];
  if (variant === 2) return ["secret"];
  return [...(isOwn(document, person) ? [] : ["secret"]), ...(isEditor(person) ? [] : ["grade"])];
}

function isEditor({ roles }: Person): boolean {
  return roles.includes("editor");
}

function isOwn({ ownerId }: Fields, { id }: Person): boolean {
  return id !== null && valuesOf(ownerId).includes(id);
}

function valuesOf(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : [value];
}
