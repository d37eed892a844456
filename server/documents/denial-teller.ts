import { GalleyError } from "#protocol/errors";
import type { ObjectValue } from "#protocol/values";
import type { Denials } from "../access/explaining/denials.ts";
import type { Log } from "../log.ts";
import type { DeniedRequest, ExplainService } from "./explain-contract.ts";
import { plainJson } from "./explanation.ts";

export interface DenialTellerOptions {
  readonly denials: Pick<Denials, "take" | "note">;
  readonly explain: Pick<ExplainService, "why" | "meant">;
  readonly log: Log;
  /** Development mode: whoever asks from this machine is told why. */
  readonly development: boolean;
}

/** How something was denied. */
export interface DenialPlace {
  readonly requestId: string;
  /** SHA-256 of what was sent, hex; undefined if nothing was, or too much. Asked after the answer. */
  readonly payload: () => string | undefined;
  /** Whether whoever asks does so from this machine. */
  readonly isLocal: () => boolean;
}

/** What becomes of denials (access-rules.md 9): the same, however somebody asks. */
export interface DenialTeller {
  /**
   * Keeps a record of what the rules deny, beside the answer. What is hidden and what is missing is recorded alike, so that
   * neither the bytes nor the time of an answer tell one from the other (promise P15).
   *
   * @returns what the client is told instead of the error; undefined: the error as it is. It never rejects
   */
  tell(error: GalleyError, denied: DeniedRequest, place: DenialPlace): Promise<GalleyError> | undefined;
  /** Names the collection that one which is not there comes closest to; undefined: none, or nobody of this machine asks. */
  hint(collection: string, isLocal: DenialPlace["isLocal"]): string | undefined;
}

export function createDenialTeller({ denials, explain, log, development }: DenialTellerOptions): DenialTeller {
  function note({ principal, action, collection, id }: DeniedRequest, code: string, place: DenialPlace): void {
    const asOf = denials.take();
    if (asOf === undefined) return;
    const { requestId, payload } = place;
    const about = { requestId, principal, action, collection, id, code, asOf };
    // After the answer.
    setImmediate(() => {
      try {
        denials.note({ ...about, payload: payload() });
      } catch (error) {
        log.warn({ err: error, requestId }, "a denial could not be recorded");
      }
    });
  }

  /** Names what was meant, and tells why. */
  async function explained(error: GalleyError, denied: DeniedRequest, requestId: string): Promise<GalleyError> {
    try {
      const meant = hint(denied.collection, () => true);
      const named = meant === undefined ? error : new GalleyError(error.code, meant, error.details, error.cause);
      return named.with({ why: plainJson(await explain.why(asSent(denied))) });
    } catch (failure) {
      log.warn({ err: failure, requestId }, "a denial could not be explained");
      return error;
    }
  }

  function hint(collection: string, isLocal: () => boolean): string | undefined {
    const meant = development && isLocal() ? explain.meant(collection) : undefined;
    return meant === undefined ? undefined : `no collection \`${collection}\`; did you mean \`${meant}\`?`;
  }

  return {
    hint,
    tell(error, denied, place) {
      note(denied, error.code, place);
      return development && place.isLocal() ? explained(error, denied, place.requestId) : undefined;
    },
  };
}

/** Bodies are decoded in place: here they are as they came. */
function asSent({ document, update, next, ...denied }: DeniedRequest): DeniedRequest {
  const sent = Object.entries({ document, update, next }).filter(([, value]) => value !== undefined);
  return { ...denied, ...(plainJson(Object.fromEntries(sent) as ObjectValue) as Partial<DeniedRequest>) };
}
