import { hash, hkdfSync, timingSafeEqual } from "node:crypto";
import type { Node, SortKey } from "#protocol/ast";
import { canonicalKey } from "#protocol/canonical";
import type { Key } from "#protocol/compare";
import { type Cursor, decodeCursor, encodeCursor } from "#protocol/cursor";
import { GalleyError } from "#protocol/errors";
import { Recent } from "../recent.ts";

/** Characters of a signature or hash: 132 bits in base64url. */
const SIGNATURE = 22;
/** Cursors that are remembered, each generation. */
const REMEMBERED = 1000;

/** The question that a page answers; a cursor serves no other. The caller's rights are no part of it. */
export interface Question {
  readonly collection: string;
  /** The client's own filter, normalised. */
  readonly filter: Node;
  readonly sort: readonly SortKey[];
}

/** Signed cursors: base64url of `[k1..kn, id, h]`, a point, and its signature; query-language.md 4. */
export interface Cursors {
  write(question: Question, keys: readonly Key[]): string;
  /** @throws GalleyError `cursor_mismatch` for one that is changed, foreign or of another question */
  read(question: Question, text: unknown): readonly Key[];
}

/** @param secrets newest first: the first signs, all are believed */
export function createCursors(secrets: readonly string[]): Cursors {
  const keys = secrets.map((secret) => Buffer.from(hkdfSync("sha256", secret, "", "cursor", 32)).toString("hex"));
  const hashes = createHashes();
  /**
   * Written or read of late, and so ours: most come back at once, with the next page, and those of a list that many read come
   * again and again. They need not be verified and decoded.
   */
  const known = new Recent<string, Cursor>(REMEMBERED);
  const [newest] = keys;
  if (!newest) throw new Error("cursors need a secret");

  return {
    write(question, tuple) {
      const hash = hashes.of(question);
      const payload = encodeCursor(tuple, hash, base64Url);
      const text = `${payload}.${sign(newest, payload)}`;
      known.set(text, { keys: tuple, hash });
      return text;
    },
    read(question, text) {
      const cursor = typeof text === "string" ? (known.get(text) ?? verified(text)) : undefined;
      // A tuple has one part for each key of the sort, whoever signed it.
      if (!cursor || cursor.hash !== hashes.of(question) || cursor.keys.length !== question.sort.length)
        throw mismatch();
      return cursor.keys;
    },
  };

  function verified(text: string): Cursor | undefined {
    const point = text.length - SIGNATURE - 1;
    if (point < 1 || text[point] !== "." || !/^[\x21-\x7e]+$/.test(text)) return undefined;
    const payload = text.slice(0, point);
    const given = Buffer.from(text.slice(point + 1), "latin1");
    const good = keys.some((key) => timingSafeEqual(Buffer.from(sign(key, payload), "latin1"), given));
    const cursor = good ? decodeCursor(payload) : undefined;
    // A copy: the text is a part of its URL, all of which it would keep.
    if (cursor) known.set(Buffer.from(text, "latin1").toString("latin1"), cursor);
    return cursor;
  }
}

function base64Url(text: string): string {
  return Buffer.from(text).toString("base64url");
}

/**
 * Unlike SHA-256, SHA-512/256 tells nothing from which the hash of a longer text could be made, so that key and text hashed
 * in one call are as good as an HMAC, which costs as much as the rest of the cursor.
 */
function sign(key: string, payload: string): string {
  return hash("sha512-256", key + payload, "base64url").slice(0, SIGNATURE);
}

/** Hashes of questions, remembered for as long as their filter is held: requests.ts knows those that come again. */
function createHashes(): { of(question: Question): string } {
  const known = new WeakMap<Node, Question & { readonly hash: string }>();
  return {
    of(question) {
      const { collection, filter, sort } = question;
      const last = known.get(filter);
      if (last?.collection === collection && last.sort === sort) return last.hash;
      const hash = hashOf(question);
      known.set(filter, { collection, filter, sort, hash });
      return hash;
    },
  };
}

function hashOf({ collection, filter, sort }: Question): string {
  const keys = sort.map(({ path, descending }) => (descending ? "-" : "") + path.join("."));
  const text = JSON.stringify([collection, canonicalKey(filter), keys]);
  return hash("sha256", text, "base64url").slice(0, SIGNATURE);
}

function mismatch(): GalleyError {
  return new GalleyError("cursor_mismatch", "after: this is no cursor of this question: ask for its first page again");
}
