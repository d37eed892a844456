import { createHash } from "node:crypto";
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
const KEY = /^[\x21-\x7e]{1,255}$/;

/** Makes keyed writes happen once: promises.md P2 and P17. */
export interface Idempotency {
  /**
   * Runs a keyed write, or answers with what its first run answered. Failures leave no record and are run again. A twin
   * that is still running is waited for.
   *
   * @param run does the write; it puts the record it makes of its answer into the same commit
   * @param replay judges today's rights and shows the first answer again
   * @throws GalleyError `idempotency_mismatch` if the key was used with another route or body
   */
  once<Answer, Reply>(
    principal: Principal,
    request: IdempotencyRequest,
    run: (record: (answer: Answer) => Write) => Promise<Reply>,
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
      for (;;) {
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
        } finally {
          running.delete(id);
        }
      }
    },
  };

  async function attempt<Answer, Reply>(
    id: string,
    request: IdempotencyRequest,
    run: (record: (answer: Answer) => Write) => Promise<Reply>,
    replay: (answer: Answer) => Reply | Promise<Reply>,
  ): Promise<Reply> {
    const [row] = await refusing(() => store.get(COMMITS, [id]));
    if (row && isAlive(row)) {
      if (row.value.route !== request.route || row.value.bodyHash !== request.bodyHash) {
        throw new GalleyError(
          "idempotency_mismatch",
          "this idempotency key was used for another request: make a new one",
          {
            outcome: "not_applied",
          },
        );
      }
      return replay(JSON.parse(String(row.value.answer)));
    }
    return run((answer) => recordWrite(id, row?.version ?? 0, request, answer));
  }

  function isAlive({ value }: Row): boolean {
    return value.expiresAt instanceof Date && value.expiresAt.getTime() > clock();
  }

  function recordWrite(id: string, expect: number, request: IdempotencyRequest, answer: unknown): Write {
    const now = clock();
    const version = store.nextVersion(expect);
    const text = encodeValue({
      _id: id,
      _v: version,
      _createdAt: new Date(now),
      _updatedAt: new Date(now),
      route: request.route,
      bodyHash: request.bodyHash,
      // As text: an answer may hold a document as deep as documents go.
      answer: JSON.stringify(answer),
      expiresAt: new Date(now + RECORD_LIFE),
    });
    return { kind: "put", collection: COMMITS, id, expect, version, text };
  }
}

/** A key belongs to its principal, so nobody meets another's; a hash, so that keys need not be legal ids. */
function recordId(principal: Principal, key: string): string {
  const owner = principal.kind === "key" ? `key ${principal.id}` : `anonymous ${principal.address}`;
  return createHash("sha256").update(`${owner}\n${key}`).digest("hex");
}
