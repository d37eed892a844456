/** Writers of the checked Galley: documents of all kinds, batches, unique clashes, roles, memberships and rules. */
import { encodeValue, type ObjectValue } from "#protocol/values";
import { randomDocument } from "../filter-generator.ts";
import { NO_LIMITS } from "../no-limits.ts";
import type { Random } from "../trap-pool.ts";
import { IDS, idOf, TEAMS } from "./question.ts";
import { rulesOf } from "./rules.ts";

/** Sends a request with the full key; undefined if no answer came. */
export type Send = (
  method: string,
  path: string,
  body?: unknown,
) => Promise<{ readonly status: number; readonly body: unknown } | undefined>;

export interface LoadOptions {
  readonly send: Send;
  readonly random: Random;
  /** Ids of users whose rights change. */
  readonly people: readonly string[];
  /** Called after each write. */
  readonly wrote: () => void;
}

/** Documents of a large batch. */
const MANY = 24;
export const MEMBERS = 12;
const MOST_TRIES = 20;

/** Lifts limits of people and networks, makes the collections and puts the first rules into force. */
export async function setUp(send: Send): Promise<void> {
  await demand(insistently(send)("PATCH", "/v1/admin/settings", NO_LIMITS));
  for (const name of ["drafts", "mixed", "members", "bulk"]) await makeCollection(send, { name });
  await makeCollection(send, { name: "notes", indexes: [{ paths: ["slug"], unique: true }] });
  await publish(insistently(send), 1);
}

/** One that is there was made by a try before, whose answer was lost. */
async function makeCollection(send: Send, body: object): Promise<void> {
  const answer = await insistently(send)("POST", "/v1/admin/collections", body);
  if (answer?.status !== 409) await demand(Promise.resolve(answer));
}

/** Asks again where no answer came, or the server could not serve at the moment. */
function insistently(send: Send): Send {
  return async (...request) => {
    for (let tries = 1; ; tries++) {
      const answer = await send(...request);
      if ((answer && answer.status !== 503) || tries === MOST_TRIES) return answer;
    }
  };
}

/** Puts the other rules into force, whatever the lints warn of. */
export async function publish(send: Send, variant: 1 | 2): Promise<void> {
  const current = (await demand(send("GET", "/v1/admin/rules"))) as { version: number };
  const body = { rules: rulesOf(variant), ifVersion: current.version, acknowledge: [] as string[] };
  const path = "/v1/admin/rules/publish";
  const first = await send("POST", path, body);
  const details = (first?.body as Refused | undefined)?.error?.details;
  if (details?.reason !== "warnings") return;
  await demand(send("POST", path, { ...body, acknowledge: details.findings?.map(({ id }) => id) }));
}

interface Refused {
  readonly error?: {
    readonly details: { readonly reason?: string; readonly findings?: readonly { readonly id: string }[] };
  };
}

export async function demand(answer: ReturnType<Send>): Promise<unknown> {
  const got = await answer;
  if (!got || got.status >= 300) throw new Error(`expects success, got ${JSON.stringify(got)}`);
  return got.body;
}

/** One write of any kind. */
export async function writeOne({ send, random, people }: Omit<LoadOptions, "wrote">): Promise<void> {
  const kind = random.below(100);
  if (kind < 80) await writeDocuments(send, random, people, kind);
  else if (kind < 90) await writeMember(send, random, people);
  else if (kind < 92 && people.length > 0) {
    const roles = random.pick([[], ["editor"], ["editor", "author"], ["author"]]);
    await send("PATCH", `/v1/admin/users/${random.pick(people)}`, { roles });
  } else await send("POST", "/v1/batch", { operations: operations(random, people, 2 + random.below(6)) });
}

async function writeDocuments(send: Send, random: Random, people: readonly string[], kind: number): Promise<void> {
  const collection = random.pick(["notes", "notes", "mixed", "drafts"] as const);
  const id = idOf(collection, random.below(IDS));
  const path = `/v1/documents/${collection}/${id}`;
  if (kind < 35) await send("PUT", path, documentOf(random, collection, people));
  else if (kind < 55) await send("PATCH", path, patchOf(random, people));
  else if (kind < 72) await send("DELETE", path);
  else if (kind < 78) await send("POST", `/v1/documents/${collection}`, documentOf(random, collection, people, id));
  else {
    // Many at once: lists run short, and are filled again.
    const ids = random
      .some(
        Array.from({ length: IDS }, (_, n) => n),
        MANY,
      )
      .map((n) => idOf(collection, n));
    const isEnd = random.chance(50);
    const operations = ids.map((one) =>
      isEnd
        ? { op: "delete", collection, id: one }
        : { op: "set", collection, id: one, document: { ...documentOf(random, collection, people), slug: undefined } },
    );
    await send("POST", "/v1/batch", { operations });
  }
}

async function writeMember(send: Send, random: Random, people: readonly string[]): Promise<void> {
  const path = `/v1/documents/members/${idOf("members", random.below(MEMBERS))}`;
  if (random.chance(35)) await send("DELETE", path);
  else await send("PUT", path, memberOf(random, people));
}

/** A commit over several collections: members and notes change together. */
function operations(random: Random, people: readonly string[], count: number): object[] {
  const seen = new Set<string>();
  return Array.from({ length: count }, () => {
    const collection = random.pick(["notes", "notes", "mixed", "drafts", "members"] as const);
    const id = idOf(collection, random.below(collection === "members" ? MEMBERS : IDS));
    const document = collection === "members" ? memberOf(random, people) : documentOf(random, collection, people);
    const isNew = !seen.has(id);
    seen.add(id);
    if (random.chance(25)) return { op: "delete", collection, id };
    if (isNew && random.chance(30))
      return { op: "update", collection, id, update: { n: random.below(20) }, upsert: true };
    return { op: "set", collection, id, document };
  });
}

function memberOf(random: Random, people: readonly string[]): object {
  return { userId: random.pick([...people, "somebody"]), team: random.pick(TEAMS) };
}

function documentOf(random: Random, collection: string, people: readonly string[], id?: string): object {
  const named = id === undefined ? {} : { _id: id };
  const n = random.below(20);
  if (collection === "mixed") {
    const document = JSON.parse(encodeValue(randomDocument(random) as ObjectValue));
    return { ...document, ...named, n, ...(random.chance(60) && { c: `hidden-${n}` }) };
  }
  const [one = "somebody", other = "somebody"] = random.some(people, 2);
  return {
    ...named,
    n,
    rank: random.below(4),
    title: random.pick(["alpha", "beta", "bee", "a\u0000", "😀"]),
    open: random.pick([true, false, null]),
    ownerId: random.pick([one, one, [one, other], null]),
    team: random.pick<unknown>([...TEAMS, null, [TEAMS[0], TEAMS[1]]]),
    secret: `secret-${n}`,
    grade: n % 5,
    ...(random.chance(20) && { slug: `slug-${random.below(30)}` }),
  };
}

function patchOf(random: Random, people: readonly string[]): object {
  return random.pick<() => object>([
    () => ({ $inc: { n: random.pick([-3, -1, 1, 5]) } }),
    () => ({ n: random.below(20), rank: random.below(4) }),
    () => ({ open: random.chance(50) }),
    () => ({ ownerId: random.pick(people.length > 0 ? people : ["somebody"]) }),
    () => ({ team: random.pick(TEAMS) }),
    () => ({ secret: `secret-${random.below(50)}` }),
    () => ({ grade: random.below(5), c: `hidden-${random.below(9)}` }),
    () => ({ slug: `slug-${random.below(30)}` }),
  ])();
}
