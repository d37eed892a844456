import { GalleyError } from "#protocol/errors";
import type { ObjectValue } from "#protocol/values";
import type { Log } from "../../log.ts";
import { attempts, commitOrLose } from "../../stores/attempts.ts";
import type { DocumentStore, Row } from "../../stores/document-store.ts";
import { fresh, putRecord, storedOf } from "../record.ts";
import type { DerivedKeys } from "./derived-keys.ts";

export interface SecretInUseOptions {
  readonly store: DocumentStore;
  readonly clock: () => number;
  readonly random: (bytes: number) => Uint8Array;
  readonly log: Log;
  readonly keys: DerivedKeys;
}

/** A server on this database, and check values of its secrets, newest first. */
interface SecretHolder {
  readonly node: string;
  readonly knows: readonly string[];
}

const PLACE = { collection: "_settings", id: "secret" };

/**
 * Compares `GALLEY_SECRET` with what this database is used with, by check values that tell nothing about it; accounts.md 2.6.
 * What one server makes, every other one has to be able to check. So while a secret is replaced each has both, and which of
 * them makes is changed once all do.
 *
 * Where no other server runs the secret may be a new one: it may be lost, and the data is not. But that is told in the log.
 *
 * @throws GalleyError `failed_precondition` if a server that runs could not check what this one makes, or the other way round
 */
export async function demandSecretInUse({ store, clock, random, log, keys }: SecretInUseOptions): Promise<void> {
  const knows = keys.of("check").map(({ kid }) => kid);
  const newest = keys.of("check")[0].kid;
  const { self, lives } = store.nodes;

  const before = await attempts(random, async () => {
    const [row] = await store.get(PLACE.collection, [PLACE.id]);
    const holders = holdersIn(row).filter(({ node }) => node !== self);
    // One that has just started may not have been heard of here.
    if (!holders.every(({ node }) => lives(node))) await store.passed(store.position());
    const others = holders.filter(({ node }) => lives(node));
    if (others.some((other) => !fits(other.knows, knows))) throw otherSecret();
    const nodes = [...others, { node: self, knows }].map((holder): ObjectValue => ({ ...holder }));
    const record = row ? storedOf(row) : fresh(PLACE.id, clock());
    await commitOrLose(store, [putRecord(store, PLACE.collection, record, { newest, nodes }, clock())]);
    return row && String(row.value.newest);
  });
  if (before === undefined || knows.includes(before)) return;
  log.warn(
    {},
    "GALLEY_SECRET is another one than this database was used with: everybody is signed out, and links, codes and mails that were on their way are void. If that was not meant, start the server with the secret of before",
  );
}

function holdersIn(row: Row | undefined): readonly SecretHolder[] {
  return (row?.value.nodes ?? []) as unknown as readonly SecretHolder[];
}

/** Whether each of two servers can check what the other one makes. */
function fits(some: readonly string[], others: readonly string[]): boolean {
  return others.includes(some[0] ?? "") && some.includes(others[0] ?? "");
}

function otherSecret(): GalleyError {
  const message =
    "GALLEY_SECRET: a server that runs on this database has another one: give all of them the same; to replace it, start all with `old,new`, then all with `new,old`";
  return new GalleyError("failed_precondition", message, { reason: "other_secret" });
}
