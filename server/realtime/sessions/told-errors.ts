import { createHash } from "node:crypto";
import { ERRORS, GalleyError } from "#protocol/errors";
import { isDenial } from "../../access/explaining/denials.ts";
import type { Principal } from "../../access/principal.ts";
import type { Log } from "../../log.ts";
import type { AskedQuestion, TellDenial } from "../contract.ts";
import { errorText } from "./server-frames.ts";

export interface ErrorTextsOptions {
  readonly random: (bytes: number) => Uint8Array;
  readonly log: Log;
  readonly tellDenial: TellDenial;
}

/** What could not be shown to whom. */
export interface Refused {
  readonly s: number;
  readonly principal: Principal;
  readonly isLocal: boolean;
  /** Asked only of what the rules deny. */
  readonly asked: () => AskedQuestion;
}

/** Frames that tell what went wrong, each with an id under which the log has what is a fault of ours. */
export interface ErrorTexts {
  /** @param s the subscription that it ends; undefined: it answers a frame */
  of(thrown: unknown, s: number | undefined): string;
  /**
   * Ends a subscription which somebody may not have, or cannot. What the rules deny is recorded as of a request; in
   * development mode it takes a moment to be explained. Never rejects.
   */
  ofRefusal(thrown: unknown, refused: Refused): string | Promise<string>;
}

export function createErrorTexts({ random, log, tellDenial }: ErrorTextsOptions): ErrorTexts {
  const start = Buffer.from(random(6)).toString("hex");
  let count = 0;

  function textOf(error: GalleyError, s: number | undefined, requestId: string): string {
    if (ERRORS[error.code].status >= 500) {
      const event = { requestId, error: error.code, ...(error.cause !== undefined && { err: error.cause }) };
      log[error.code === "internal" ? "error" : "warn"](event, error.message);
    }
    return errorText(error, s, requestId);
  }

  function nextId(): string {
    return `${start}-${(count++).toString(36)}`;
  }

  return {
    of: (thrown, s) => textOf(asOurs(thrown), s, nextId()),
    ofRefusal(thrown, { s, principal, isLocal, asked }) {
      const error = asOurs(thrown);
      const requestId = nextId();
      if (!isDenial(principal, error)) return textOf(error, s, requestId);
      const { text, ...question } = asked();
      const payload = () => createHash("sha256").update(text).digest("hex");
      const told = tellDenial(error, { principal, ...question }, { requestId, payload, isLocal: () => isLocal });
      return told ? told.then((more) => textOf(more, s, requestId)) : textOf(error, s, requestId);
    },
  };
}

function asOurs(error: unknown): GalleyError {
  if (error instanceof GalleyError) return error;
  return new GalleyError("internal", "something went wrong on the server; its log has the request id", {}, error);
}
