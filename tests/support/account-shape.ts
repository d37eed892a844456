/** What a store holds of a person, in figures that every operation of accounts changes in a known way. */
import { hashSecret, parseKey } from "../../server/accounts/keys/key-format.ts";
import type { DocumentStore, Row } from "../../server/stores/document-store.ts";
import { pagesOf } from "../../server/stores/pages.ts";

const COLLECTIONS = ["_users", "_admins", "_credentials", "_sessions", "_secrets", "_mail", "_audit", "_keys"] as const;

/** Everything that is stored about accounts. */
export type Dump = Readonly<Record<(typeof COLLECTIONS)[number], readonly Row[]>>;

export async function dumpAccounts(store: DocumentStore): Promise<Dump> {
  const entries = COLLECTIONS.map(async (name) => {
    const rows: Row[] = [];
    for await (const page of pagesOf(store, name, 500)) rows.push(...page.rows);
    return [name, rows] as const;
  });
  return Object.fromEntries(await Promise.all(entries)) as unknown as Dump;
}

type Counts = Readonly<Record<string, number>>;

export interface Shape {
  readonly user: "none" | "guest" | "unproven" | "proven";
  readonly email: string | null;
  /** `credentialVersion`; 0 without a credential. */
  readonly credential: number;
  readonly password: boolean;
  readonly live: number;
  readonly ended: number;
  /** Of the session that the client holds: which refresh token is its newest. */
  readonly current: number | "ended" | "none";
  /** Of their service key: whether its secret is the one that the client holds. */
  readonly key: "none" | "known" | "other";
  readonly secrets: Counts;
  readonly mails: Counts;
  /** Audit lines by action. */
  readonly lines: Counts;
}

export const NOBODY: Shape = {
  ...{ user: "none", email: null, credential: 0, password: false, live: 0, ended: 0, current: "none", key: "none" },
  ...{ secrets: {}, mails: {}, lines: {} },
};

/** How a person is found in the store. */
export interface Who {
  /** Their addresses begin with it; the name of their key. */
  readonly name: string;
  readonly id?: string | undefined;
  /** Of accounts that they had before. */
  readonly pastIds: readonly string[];
  /** Where the id is not known, since the answer was lost. */
  readonly email?: string | undefined;
  readonly device: string;
  readonly session?: { readonly id: string } | undefined;
  readonly key?: { readonly secret: string } | undefined;
}

export function shapeOf(
  dump: Dump,
  who: Who,
): { readonly shape: Shape; readonly id?: string; readonly keyId?: string } {
  const user = userOf(dump, who);
  const id = user?.id;
  const own = (rows: readonly Row[]) => rows.filter(({ value }) => value.user === id);
  const credential = dump._credentials.find((one) => one.id === id);
  const sessions = id === undefined ? [] : own(dump._sessions);
  const current = dump._sessions.find((one) => one.id === who.session?.id);
  const ids = new Set([...who.pastIds, ...(who.id === undefined ? [] : [who.id]), ...(id === undefined ? [] : [id])]);
  const key = dump._keys.find(({ value }) => value.name === who.name);
  const known = who.key && hashSecret(parseKey(who.key.secret)?.secret ?? "");
  const proven = user?.value.emailProvenAt ? "proven" : "unproven";
  const shape: Shape = {
    user: user === undefined ? "none" : user.value.guest === true ? "guest" : proven,
    email: user?.value.email === undefined ? null : String(user.value.email),
    credential: Number(credential?.value.credentialVersion ?? 0),
    password: credential?.value.password !== undefined,
    live: sessions.filter(({ value }) => !value.endedAt).length,
    ended: sessions.filter(({ value }) => value.endedAt).length,
    current: current === undefined ? "none" : current.value.endedAt ? "ended" : Number(current.value.generation),
    key: key === undefined ? "none" : key.value.hash === known ? "known" : "other",
    secrets: countBy(id === undefined ? [] : own(dump._secrets), "kind"),
    mails: countBy(
      dump._mail.filter(({ value }) => String(value.to).startsWith(`${who.name}.`)),
      "kind",
    ),
    // What failed is noted beside the request.
    lines: countBy(
      dump._audit.filter(({ value }) => ids.has(String(value.for)) && !String(value.action).endsWith("-failed")),
      "action",
    ),
  };
  return { shape, ...(id !== undefined && { id }), ...(key && { keyId: key.id }) };
}

function userOf({ _users, _sessions }: Dump, { id, email, device }: Who): Row | undefined {
  const byId = _users.find((one) => one.id === id);
  if (byId || id !== undefined) return byId;
  const session = _sessions.find(({ value }) => (value.device as { name?: string } | undefined)?.name === device);
  return _users.find((one) => one.value.email === email || one.id === session?.value.user);
}

function countBy(rows: readonly Row[], member: string): Counts {
  const counts: Record<string, number> = {};
  for (const { value } of rows) counts[String(value[member])] = (counts[String(value[member])] ?? 0) + 1;
  return counts;
}

/** A shape as text that is equal for equal ones. */
export function textOf({ secrets, mails, lines, ...shape }: Shape): string {
  const sorted = (counts: Counts) =>
    Object.entries(counts)
      .filter(([, n]) => n > 0)
      .sort();
  return JSON.stringify({ ...shape, secrets: sorted(secrets), mails: sorted(mails), lines: sorted(lines) });
}

/** What must never be stored, of whomever it is, in words. */
export function halves({ _users, _admins, _credentials, _sessions, _secrets }: Dump): string[] {
  const found: string[] = [];
  const people = new Set([..._users, ..._admins].map(({ id }) => id));
  const credentials = new Set(_credentials.map(({ id }) => id));
  for (const { id } of _credentials) if (!people.has(id)) found.push(`a credential of nobody: ${id}`);
  for (const { id, value } of [..._users, ..._admins]) {
    if (value.guest !== true && !credentials.has(id)) found.push(`a user without a credential: ${id}`);
    if (value.guest === true && value.email !== undefined) found.push(`a guest with an address: ${id}`);
  }
  for (const { id, value } of _sessions) if (!people.has(String(value.user))) found.push(`a session of nobody: ${id}`);
  for (const { id, value } of _secrets) {
    const { user, kind } = value;
    // The set-up link's owner does not exist yet.
    if (user !== undefined && user !== "nobody" && kind !== "set-up" && !people.has(String(user)))
      found.push(`a ${kind} of nobody: ${id}`);
  }
  const keys = _users.map(({ value }) => value.emailKey).filter((key) => key !== undefined);
  if (new Set(keys).size < keys.length) found.push("two users have one address");
  return found;
}
