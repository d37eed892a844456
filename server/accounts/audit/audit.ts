import { hash } from "node:crypto";
import type { Node } from "#protocol/ast";
import { decodeCursor, encodeCursor } from "#protocol/cursor";
import { Faults, GalleyError } from "#protocol/errors";
import { ID_RANDOM_BYTES, newId } from "#protocol/id";
import { LIMITS } from "#protocol/limits";
import { and } from "#protocol/normalise";
import { isObjectValue, type ObjectValue, type Value } from "#protocol/values";
import type { AdminScope } from "../../access/authorize.ts";
import type { Log } from "../../log.ts";
import type { DocumentStore, Row, StoredCollection, Write } from "../../stores/document-store.ts";
import { createNotes } from "../../stores/notes.ts";
import { fresh, putRecord } from "../record.ts";
import { networkOf, type Visit } from "../sessions/device.ts";

/** Something that somebody did; accounts.md 13. Never a secret, nor what one could be made of. */
export interface AuditEvent {
  readonly action: string;
  /** Id of who did it: a person or a key; else a word, as "anonymous". */
  readonly by: string;
  /** Id of whom it concerns; without it, who did it. */
  readonly for?: string;
  readonly visit?: Visit;
  /** Texts may come from outside: they are cut. */
  readonly details?: Readonly<Record<string, AuditDetail | undefined>>;
}

type AuditDetail = string | number | boolean | null | readonly string[];

/** A line as admins read it. Times are ISO 8601. */
export interface AuditLine {
  readonly id: string;
  readonly at: string;
  readonly action: string;
  readonly by: string;
  readonly for: string | null;
  readonly network: string | null;
  readonly address: string | null;
  readonly requestId: string | null;
  readonly userAgent: string | null;
  readonly details: ObjectValue;
}

export interface AuditPage {
  readonly lines: readonly AuditLine[];
  /** What `after` of the next page is; absent after the last one. */
  readonly next?: string;
}

export interface AuditQuestion {
  readonly after?: string | undefined;
  readonly limit?: number | undefined;
  /** Only lines of what this person or key did, or what was done to them. */
  readonly user?: string | undefined;
  readonly action?: string | undefined;
}

export interface Audit {
  /** The write of a line, for the commit of what it tells. */
  line(event: AuditEvent): Write;
  /** Notes what has no commit of its own, as a failure, within a second. Fails nobody. */
  note(event: AuditEvent): void;
  /** Newest first. @throws GalleyError `invalid_argument`, `cursor_mismatch` */
  list(scope: AdminScope, question: AuditQuestion): Promise<AuditPage>;
  /** Stores what is still to be noted. */
  close(): Promise<void>;
}

export interface AuditOptions {
  readonly store: DocumentStore;
  readonly clock: () => number;
  readonly random: (bytes: number) => Uint8Array;
  readonly log: Log;
}

/** `concerns` holds who did it and whom it concerns, so that one index finds both in the order of ids. */
export const AUDIT: StoredCollection = {
  name: "_audit",
  indexes: [{ paths: ["concerns"] }, { paths: ["action"] }, { paths: ["expiresAt"] }],
};
const YEAR = 365 * 24 * 60 * 60 * 1000;
/** Characters of a text, and texts of a list, that a line keeps. */
const MAX_TEXT = 512;
const MAX_LIST = 100;
/** Lines of one commit, and those held while the store is slow or away; what comes beyond is counted only. */
const AT_ONCE = 500;
const MOST_WAITING = 10_000;
const NEWEST_FIRST = [{ path: ["_id"], descending: true }];
const QUERY_MILLISECONDS = 10_000;

export function createAudit({ store, clock, random, log }: AuditOptions): Audit {
  const nextId = idsInOrder(random);
  const notes = createNotes({
    ...{ store, what: "audit lines", atOnce: AT_ONCE, most: MOST_WAITING, warn: log.warn.bind(log) },
    lost: (lines) => line({ action: "audit-lines-lost", by: "server", details: { lines } }),
  });

  function line({ action, by, for: whom, visit, details = {} }: AuditEvent): Write {
    const now = clock();
    const concerned = whom ?? (by === "anonymous" ? undefined : by);
    const fields = {
      action,
      by: cut(by),
      for: concerned === undefined ? undefined : cut(concerned),
      concerns: [...new Set([by, concerned ?? by])].map(cut),
      ...(visit && {
        network: networkOf(visit.address),
        address: cut(visit.address),
        requestId: cut(visit.requestId),
        userAgent: cut(visit.userAgent),
      }),
      details: detailsOf(details),
      expiresAt: new Date(now + YEAR),
    };
    return putRecord(store, AUDIT.name, fresh(nextId(now), now), fields, now);
  }

  return {
    line,
    note(event) {
      try {
        notes.add(line(event));
      } catch (error) {
        log.error({ err: error, action: event.action }, "an audit line could not be made");
      }
    },
    async list(_scope, { after, limit = LIMITS.pageDefault, user, action }) {
      const faults = new Faults();
      if (!Number.isInteger(limit) || limit < 1 || limit > LIMITS.pageMax) {
        faults.add("limit", "bad_value", `expects a whole number from 1 to ${LIMITS.pageMax}`);
      }
      faults.throwIfAny();
      const question = hashOf(user, action);
      const from = after === undefined ? undefined : placeOf(after, question);
      const { rows, more } = await store.find({
        collection: AUDIT.name,
        filter: and(...equalTo("concerns", user), ...equalTo("action", action)),
        sort: NEWEST_FIRST,
        limit,
        budget: { candidates: Number.POSITIVE_INFINITY, milliseconds: QUERY_MILLISECONDS },
        ...(from !== undefined && { after: [from] }),
      });
      const last = rows.at(-1);
      return { lines: rows.map(readLine), ...(more && last && { next: encodeCursor([last.id], question) }) };
    },
    close: () => notes.close(),
  };
}

/**
 * Ids that sort by time, and those that one node makes within a millisecond by their order: a count in the twelve bits
 * that RFC 9562 6.2, method 1, leaves for it.
 */
function idsInOrder(random: (bytes: number) => Uint8Array): (now: number) => string {
  let last = 0;
  let count = 0;
  return (now) => {
    count = now === last ? Math.min(count + 1, 0xfff) : 0;
    last = now;
    const bytes = Uint8Array.from(random(ID_RANDOM_BYTES));
    bytes.set([count >> 8, count & 0xff]);
    return newId(now, bytes);
  };
}

function detailsOf(details: Readonly<Record<string, AuditDetail | undefined>>): ObjectValue {
  const given = Object.entries(details).filter((entry): entry is [string, AuditDetail] => entry[1] !== undefined);
  return Object.fromEntries(given.map(([name, detail]): [string, Value] => [name, cutDetail(detail)]));
}

function cutDetail(detail: AuditDetail): Value {
  if (typeof detail === "string") return cut(detail);
  return detail !== null && typeof detail === "object" ? detail.slice(0, MAX_LIST).map(cut) : detail;
}

/** Bounded, and no half of a pair of surrogates where it was cut or came that way. */
function cut(text: string): string {
  return (text.length > MAX_TEXT ? `${text.slice(0, MAX_TEXT)}…` : text).toWellFormed();
}

function readLine({ id, value }: Row): AuditLine {
  const text = (field: string) => (typeof value[field] === "string" ? value[field] : null);
  return {
    id,
    at: value._createdAt.toISOString(),
    action: String(value.action),
    by: String(value.by),
    for: text("for"),
    network: text("network"),
    address: text("address"),
    requestId: text("requestId"),
    userAgent: text("userAgent"),
    details: isObjectValue(value.details) ? value.details : {},
  };
}

function equalTo(field: string, value: string | undefined): Node[] {
  return value === undefined ? [] : [{ kind: "compare", op: "eq", path: [field], value }];
}

/** A cursor of one question serves no other. */
function hashOf(user: string | undefined, action: string | undefined): string {
  return hash("sha256", JSON.stringify([user ?? null, action ?? null]), "base64url").slice(0, 22);
}

function placeOf(after: string, question: string): string {
  const cursor = decodeCursor(after);
  const [id] = cursor?.keys ?? [];
  if (cursor?.hash === question && cursor.keys.length === 1 && typeof id === "string") return id;
  throw new GalleyError("cursor_mismatch", "after: this is no cursor of this question: ask for its first page again");
}
