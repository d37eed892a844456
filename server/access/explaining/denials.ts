import type { ErrorCode, GalleyError } from "#protocol/errors";
import { idFault } from "#protocol/id";
import { encodeValue } from "#protocol/values";
import type { DocumentStore, Row, StoredCollection, Write } from "../../stores/document-store.ts";
import { startSweep } from "../../stores/expired.ts";
import { createNotes } from "../../stores/notes.ts";
import type { RuledPrincipal } from "../caller.ts";
import type { Principal } from "../principal.ts";
import type { Action } from "../scopes.ts";

/** Where records of denials lie. */
export const DENIALS: StoredCollection = { name: "_denials", indexes: [{ paths: ["expiresAt"] }] };
/** Milliseconds that a record is kept. */
const KEPT = 24 * 60 * 60 * 1000;
/** Records a second and node: whoever is denied often fills no store. */
const A_SECOND = 10;
/** Records held while the store is slow or away; more are dropped. */
const MOST_WAITING = 1000;
/** Records of one commit. */
const AT_ONCE = 100;

/** What somebody was denied. */
export interface Denial {
  readonly requestId: string;
  readonly principal: RuledPrincipal;
  readonly action: Action;
  readonly collection: string;
  readonly id?: string | undefined;
  readonly code: string;
  /** From {@link Denials.take}: documents with a greater version were written later. */
  readonly asOf: number;
  /** SHA-256 of what was sent, hex; absent if nothing was, or too much. */
  readonly payload?: string | undefined;
}

/** A denial as it was kept. */
export interface KeptDenial extends Omit<Denial, "principal"> {
  readonly principal: {
    readonly kind: RuledPrincipal["kind"];
    readonly id?: string;
    readonly address: string;
    readonly origin?: string;
  };
  readonly at: Date;
  readonly rulesVersion: number;
}

/** What rules answer with where they deny. */
const DENIED: ReadonlySet<ErrorCode> = new Set([
  "unauthenticated",
  "permission_denied",
  "not_found",
  "field_not_queryable",
]);

/** Whether an answer to what rules judge may be their denial: service keys and admins are limited by scopes. */
export function isDenial(principal: Principal | undefined, { code }: GalleyError): principal is RuledPrincipal {
  return (principal?.kind === "anonymous" || principal?.kind === "user") && DENIED.has(code);
}

/** Records of denials (access-rules.md 9): for those who wrote the rules, never for who was denied. */
export interface Denials {
  /**
   * Takes the room for one more in this second, if there is any.
   * @returns a version below those of all later writes
   */
  take(): number | undefined;
  /** Keeps one, beside the request. */
  note(denial: Denial): void;
  find(requestId: string): Promise<KeptDenial | undefined>;
  /** Stores what is left. */
  close(): Promise<void>;
}

export interface DenialsOptions {
  readonly store: DocumentStore;
  readonly clock: () => number;
  /** Of the rules in force here. */
  readonly rulesVersion: () => number;
  readonly warn: (event: object, message: string) => void;
}

export async function createDenials({ store, clock, rulesVersion, warn }: DenialsOptions): Promise<Denials> {
  await store.ensureCollection(DENIALS);
  const remake = () => store.ensureCollection(DENIALS);
  const tail = store.tail(
    undefined,
    ({ dropped = [] }) => {
      if (dropped.includes(DENIALS.name))
        remake().catch((err: unknown) => warn({ err }, "records of denials have no place"));
    },
    remake,
  );
  const sweep = startSweep({ store, clock, collections: [DENIALS.name], warn });
  const notes = createNotes({ store, what: "records of denials", atOnce: AT_ONCE, most: MOST_WAITING, warn });
  let second = 0;
  let taken = 0;

  return {
    take() {
      const now = Math.floor(clock() / 1000);
      if (now !== second) [second, taken] = [now, 0];
      taken++;
      return taken <= A_SECOND && !notes.full ? store.nextVersion(0) : undefined;
    },
    note(denial) {
      notes.add(writeOf({ ...denial, rulesVersion: rulesVersion() }, clock()));
    },
    async find(requestId) {
      // Who is denied and asks why at once need not wait.
      if (notes.holds(requestId)) await notes.flush();
      const [row] = idFault(requestId) === undefined ? await store.get(DENIALS.name, [requestId]) : [];
      return row && denialIn(row);
    },
    async close() {
      tail.close();
      await notes.close();
      await sweep.close();
    },
  };
}

function writeOf(
  { requestId, principal, asOf, ...denial }: Denial & Pick<KeptDenial, "rulesVersion">,
  now: number,
): Write {
  const { kind, address, origin } = principal;
  const who = {
    kind,
    address,
    ...(kind === "user" && { id: principal.id }),
    ...(origin !== undefined && { origin: origin.slice(0, 512).toWellFormed() }),
  };
  const at = new Date(now);
  const text = encodeValue({
    ...{ _id: requestId, _v: asOf, _createdAt: at, _updatedAt: at, principal: who },
    ...Object.fromEntries(Object.entries(denial).filter((entry) => entry[1] !== undefined)),
    expiresAt: new Date(now + KEPT),
  });
  return { kind: "put", collection: DENIALS.name, id: requestId, expect: 0, version: asOf, text };
}

function denialIn({ id, version, value }: Row): KeptDenial {
  const { principal, action, collection, code, rulesVersion, payload } = value;
  return {
    requestId: id,
    principal: principal as unknown as KeptDenial["principal"],
    action: action as Action,
    ...{ collection: String(collection), code: String(code), rulesVersion: Number(rulesVersion) },
    ...(typeof value.id === "string" && { id: value.id }),
    ...(typeof payload === "string" && { payload }),
    ...{ at: value._createdAt, asOf: version },
  };
}
