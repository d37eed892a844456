import { createHmac, timingSafeEqual } from "node:crypto";
import type { DerivedKey } from "../secrets/derived-keys.ts";

/** A refresh token taken apart: `gr_<session>_<n>_<mac>`, accounts.md 5.2. */
export interface RefreshToken {
  readonly session: string;
  /** Which of the session's tokens it is, from 1. */
  readonly generation: number;
  readonly mac: string;
}

/** What a token is computed from. It is stored nowhere, and the database alone yields none: the key is not in it. */
export interface RefreshTokenSource {
  /** That of the database; new after a restore, so that no older token counts. */
  readonly epoch: string;
  readonly session: string;
  readonly generation: number;
  /** 256 random bits of the session's record. */
  readonly salt: string;
}

/** A session's id and a mac have fixed lengths: base64url has `_` too. */
const FORM = /^gr_([A-Za-z0-9_-]{22})_([1-9][0-9]{0,14})_([A-Za-z0-9_-]{43})$/;

export function formatRefreshToken({ session, generation, mac }: RefreshToken): string {
  return `gr_${session}_${generation}_${mac}`;
}

/** The parts of a token; undefined if it has not the form of one. Nothing is proven by that. */
export function parseRefreshToken(token: string): RefreshToken | undefined {
  const [, session, generation, mac] = FORM.exec(token) ?? [];
  if (session === undefined || generation === undefined || mac === undefined) return undefined;
  return { session, generation: Number(generation), mac };
}

export function macOf({ bytes }: DerivedKey, { epoch, session, generation, salt }: RefreshTokenSource): string {
  // As JSON, so that no part can pass for the end of another.
  const text = JSON.stringify([epoch, session, generation, salt]);
  return createHmac("sha256", bytes).update(text).digest("base64url");
}

/** Whether a token was made of this, under any of the keys. All are compared, whichever fits. */
export function isMadeOf({ mac }: RefreshToken, source: RefreshTokenSource, keys: readonly DerivedKey[]): boolean {
  const given = Buffer.from(mac);
  const fitting = keys.filter((key) => {
    const right = Buffer.from(macOf(key, source));
    return right.length === given.length && timingSafeEqual(right, given);
  });
  return fitting.length > 0;
}
