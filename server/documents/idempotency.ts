import { createHash } from "node:crypto";
import { setTimeout as wait } from "node:timers/promises";
import { GalleyError } from "#protocol/errors";
import { encodeValue } from "#protocol/values";
import type { Principal } from "../access/principal.ts";
import type { DocumentStore, Row, Write } from "../stores/document-store.ts";
import type { IdempotencyRequest } from "./contract.ts";
import { refusing } from "./refusal.ts";
import { RecordTaken } from "./writing.ts";

/** Records of keyed writes, each written in the commit of its effect. */
export const COMMITS = "_commits";
/** How long a key stays bound to its first effect. */
export const RECORD_LIFE = 24 * 60 * 60 * 1000;
/** Milliseconds to wait for a record of another node that is written, but not yet to be read; doubled each time. */
const FIRST_DELAY = 2;
const ATTEMPTS = 10;
/** Characters of an answer in one document: JSON that is written once more takes at most three bytes for each. */
const PART = 256 * 1024;
const KEY = /^[\x21-\x7e]{1,255}$/;

/** Makes keyed writes happen once: promises.md P2 and P17. */
export interface Idempotency {
  /**
   * Runs a keyed write, or answers with what its first run answered. Failures leave no record and are run again. A twin
   * that is still running is waited for.
   *
   * @param run does the write; it puts the records it makes of its answer into the same commit
   * @param replay judges today's rights and shows the first answer again
   * @throws GalleyError `idempotency_mismatch` if the key was used with another route or body
   */
  once<Answer, Reply>(
    principal: Principal,
    request: IdempotencyRequest,
    run: (record: (answer: Answer) => readonly Write[]) => Promise<Reply>,
    replay: (answer: Answer) => Reply | Promise<Reply>,
  ): Promise<Reply>;
}

export function createIdempotency(options: { store: DocumentStore; clock: () => number }): Idempotency {
  const { store, clock } = options;
  const running = new Map<string, Promise<unknown>>();

  return {
    async once(principal, request, run, replay) {
      if (!KEY.test(request.key)) {
        throw new GalleyError("invalid_argument", "idempotency-key: expects 1 to 255 visible ASCII characters", {
          outcome: "not_applied",
        });
      }
      const id = recordId(principal, request.key);
      for (let tried = 1; ; ) {
        const twin = running.get(id);
        if (twin) {
          await twin.catch(() => {});
          continue;
        }
        const mine = attempt(id, request, run, replay);
        running.set(id, mine);
        try {
          return await mine;
        } catch (error) {
          if (!(error instanceof RecordTaken)) throw error;
          if (tried === ATTEMPTS) throw stillRunning();
        } finally {
          running.delete(id);
        }
        await wait(FIRST_DELAY * 2 ** (tried - 1));
        tried += 1;
      }
    },
  };

  async function attempt<Answer, Reply>(
    id: string,
    request: IdempotencyRequest,
    run: (record: (answer: Answer) => readonly Write[]) => Promise<Reply>,
    replay: (answer: Answer) => Reply | Promise<Reply>,
  ): Promise<Reply> {
    const row = await recordOf(id);
    if (row && isAlive(row)) return replay(await answerOf(row, request));
    try {
      return await run((answer) => recordWrites(id, row?.version ?? 0, request, answer));
    } catch (error) {
      // A twin on another node may have been faster, and what stands in the way here is its effect. A store that cannot
      // be reached stood in the way of both, and to ask it once more would only keep the caller waiting.
      if (!(error instanceof GalleyError) || error.details.outcome !== "not_applied") throw error;
      if (error.code === "unavailable" || error.code === "timeout") throw error;
      const now = await recordOf(id).catch(() => undefined);
      if (now && now.version !== row?.version && isAlive(now)) return replay(await answerOf(now, request));
      throw error;
    }
  }

  async function recordOf(id: string): Promise<Row | undefined> {
    const [row] = await refusing(() => store.get(COMMITS, [id]));
    return row;
  }

  /** @throws GalleyError `idempotency_mismatch` */
  async function answerOf<Answer>({ id, version, value }: Row, request: IdempotencyRequest): Promise<Answer> {
    if (value.route !== request.route || value.bodyHash !== request.bodyHash) {
      const message = "this idempotency key was used for another request: make a new one";
      throw new GalleyError("idempotency_mismatch", message, { outcome: "not_applied" });
    }
    const ids = Array.from({ length: Number(value.parts ?? 0) }, (_, i) => partId(id, version, i));
    const rows = ids.length === 0 ? [] : await refusing(() => store.get(COMMITS, ids));
    const parts = rows.map((row) => {
      if (!row) throw new Error(`the record ${id} lacks a part`);
      return String(row.value.answer);
    });
    return JSON.parse([String(value.answer), ...parts].join(""));
  }

  function isAlive({ value }: Row): boolean {
    return value.expiresAt instanceof Date && value.expiresAt.getTime() > clock();
  }

  /** The record, and what of its answer does not fit into it. */
  function recordWrites(id: string, expect: number, request: IdempotencyRequest, answer: unknown): Write[] {
    const now = clock();
    const version = store.nextVersion(expect);
    const record = (_id: string, own: number, expected: number, fields: object): Write => {
      const at = new Date(now);
      const expiresAt = new Date(now + RECORD_LIFE);
      const text = encodeValue({ _id, _v: own, _createdAt: at, _updatedAt: at, ...fields, expiresAt });
      return { kind: "put", collection: COMMITS, id: _id, expect: expected, version: own, text };
    };
    // As text: an answer may hold a document as deep as documents go.
    const [first = "", ...parts] = inParts(JSON.stringify(answer));
    const { route, bodyHash } = request;
    return [
      record(id, version, expect, { route, bodyHash, answer: first, ...(parts.length > 0 && { parts: parts.length }) }),
      ...parts.map((part, i) => record(partId(id, version, i), store.nextVersion(0), 0, { answer: part })),
    ];
  }
}

/** Each answer has parts of its own: those of one whose time is over may still be there. */
function partId(id: string, version: number, part: number): string {
  return `${id}-${version}-${part}`;
}

/** A text in pieces of which each fits into a document, whatever its characters are written as. */
function inParts(text: string): string[] {
  const parts: string[] = [];
  for (let from = 0; from < text.length; ) {
    const split = isHighSurrogate(text.charCodeAt(from + PART - 1)) ? PART - 1 : PART;
    parts.push(text.slice(from, from + split));
    from += split;
  }
  return parts;
}

function isHighSurrogate(code: number): boolean {
  return code >= 0xd800 && code <= 0xdbff;
}

function stillRunning(): GalleyError {
  return new GalleyError("contention", "the same request is still running on another server: try again", {
    outcome: "not_applied",
  });
}

/** A key belongs to its principal, so nobody meets another's; a hash, so that keys need not be legal ids. */
function recordId(principal: Principal, key: string): string {
  const owner = `${principal.kind} ${principal.kind === "anonymous" ? principal.address : principal.id}`;
  return createHash("sha256").update(`${owner}\n${key}`).digest("hex");
}
