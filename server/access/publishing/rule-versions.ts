import { encodeValue, type ObjectValue, type Value } from "#protocol/values";
import type { DocumentStore, Row, StoredCollection, Write } from "../../stores/document-store.ts";

/**
 * How published rules are stored (access-rules.md 10): one document a version, which never changes, and the pointer, which
 * names the version in force. Rules and tests are kept as their JSON text, since their keys (`$or`) are no legal keys of a
 * document, in pieces: each is a document of its own, so that a version of any legal size fits, and a history is read
 * without its texts. One commit writes them all.
 */
export const RULES: StoredCollection = { name: "_rules", indexes: [] };
/** The id of the pointer. */
export const POINTER = "current";

/** Characters of a piece. Each takes at most 3 bytes in a stored text, so a piece stays under a document's 1 MiB. */
const PIECE = 256 * 1024;
/** Pieces of one text that a stored version may claim. */
const MAX_PIECES = 64;

/** Who published, as it was then. */
export interface RuleAuthor {
  readonly kind: string;
  readonly id: string;
  readonly name: string | null;
}

export interface VersionInfo {
  readonly version: number;
  readonly by: RuleAuthor;
  readonly at: Date;
  readonly note: string;
}

/** One version whole. Rules and tests are JSON texts. */
export interface StoredVersion extends VersionInfo {
  readonly rules: string;
  readonly tests: string | undefined;
}

/** Which version is in force; 0: none was published. */
export interface Pointer {
  readonly version: number;
  /** Version of the stored document, which the next publish expects; 0: there is none. */
  readonly stored: number;
  readonly createdAt: Date | undefined;
}

/** What is stored is not what was written here: somebody else changed it. */
export class DamagedRules extends Error {}

/** What a stored text says. @throws DamagedRules if it is no JSON */
export function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw new DamagedRules("a stored text is no JSON");
  }
}

/** The writes of a new version, which take the place of the pointer only if it is still the one that was read. */
export function versionWrites(
  store: Pick<DocumentStore, "nextVersion">,
  pointer: Pointer,
  { version, by, at, note, rules, tests }: StoredVersion,
): Write[] {
  const [ruleTexts, testTexts] = [piecesOf(rules), piecesOf(tests ?? "")];
  const put = (id: string, expect: number, createdAt: Date, fields: ObjectValue): Write => {
    const next = store.nextVersion(expect);
    const text = encodeValue({ _id: id, _v: next, _createdAt: createdAt, _updatedAt: at, ...fields });
    return { kind: "put", collection: RULES.name, id, expect, version: next, text };
  };
  const counts = { rulePieces: ruleTexts.length, testPieces: testTexts.length };
  return [
    put(POINTER, pointer.stored, pointer.createdAt ?? at, { version }),
    put(versionId(version), 0, at, { version, by: { ...by }, at, note, ...counts }),
    ...pieceIds(version, counts).map((id, i) => put(id, 0, at, { text: [...ruleTexts, ...testTexts][i] ?? "" })),
  ];
}

/** The pointer as it is stored now. */
export async function readPointer(store: DocumentStore): Promise<Pointer> {
  const [row] = await store.get(RULES.name, [POINTER]);
  return pointerIn(row);
}

export function pointerIn(row: Row | undefined): Pointer {
  if (!row) return { version: 0, stored: 0, createdAt: undefined };
  return { version: wholeNumber(row.value.version, 1), stored: row.version, createdAt: row.value._createdAt };
}

/**
 * One version; undefined if there is none of that number.
 * @throws DamagedRules if it is not there whole
 */
export async function readVersion(store: DocumentStore, version: number): Promise<StoredVersion | undefined> {
  const [row] = await store.get(RULES.name, [versionId(version)]);
  if (!row) return undefined;
  const ids = pieceIds(version, countsIn(row));
  const rows = await store.get(RULES.name, ids);
  const found = new Map(ids.map((id, i) => [id, rows[i]]));
  return versionIn(version, (id) => (id === row.id ? row : found.get(id)));
}

/** One version out of documents that are at hand, by id. @throws DamagedRules if one is missing or not as it was written */
export function versionIn(version: number, at: (id: string) => Row | undefined): StoredVersion {
  const row = at(versionId(version));
  if (!row) throw new DamagedRules(`version ${version} is missing`);
  const counts = countsIn(row);
  const texts = pieceIds(version, counts).map((id) => {
    const text = at(id)?.value.text;
    if (typeof text !== "string") throw new DamagedRules(`a piece of version ${version} is missing`);
    return text;
  });
  const rules = texts.slice(0, counts.rulePieces).join("");
  const tests = counts.testPieces === 0 ? undefined : texts.slice(counts.rulePieces).join("");
  return { ...infoIn(row), rules, tests };
}

/** Versions below one, newest first, without their texts. Numbers have no gaps, so no index is needed. */
export async function readHistory(store: DocumentStore, below: number, limit: number): Promise<readonly VersionInfo[]> {
  const ids = Array.from({ length: Math.max(Math.min(limit, below - 1), 0) }, (_, i) => versionId(below - 1 - i));
  const rows = await store.get(RULES.name, ids);
  return rows.flatMap((row) => (row ? [infoIn(row)] : []));
}

function infoIn({ value }: Row): VersionInfo {
  const by = value.by as Partial<Record<keyof RuleAuthor, Value>> | undefined;
  return {
    version: wholeNumber(value.version, 1),
    by: { kind: String(by?.kind), id: String(by?.id), name: typeof by?.name === "string" ? by.name : null },
    at: value.at instanceof Date ? value.at : value._createdAt,
    note: typeof value.note === "string" ? value.note : "",
  };
}

interface Counts {
  readonly rulePieces: number;
  readonly testPieces: number;
}

function countsIn({ value: { rulePieces, testPieces } }: Row): Counts {
  return { rulePieces: wholeNumber(rulePieces, 1, MAX_PIECES), testPieces: wholeNumber(testPieces, 0, MAX_PIECES) };
}

function wholeNumber(value: Value | undefined, least: number, most = Number.MAX_SAFE_INTEGER): number {
  if (typeof value === "number" && Number.isInteger(value) && value >= least && value <= most) return value;
  throw new DamagedRules("a stored number is not what was written");
}

/** In the order of their numbers. */
function versionId(version: number): string {
  return `v${String(version).padStart(10, "0")}`;
}

function pieceIds(version: number, { rulePieces, testPieces }: Counts): string[] {
  const ids = (kind: string, count: number) =>
    Array.from({ length: count }, (_, i) => `${versionId(version)}.${kind}.${i}`);
  return [...ids("rules", rulePieces), ...ids("tests", testPieces)];
}

/** Cuts a text, and no pair of surrogates: half of one is no legal text. */
function piecesOf(text: string): string[] {
  const pieces: string[] = [];
  for (let start = 0; start < text.length; ) {
    let end = Math.min(start + PIECE, text.length);
    if (end < text.length && (text.charCodeAt(end) & 0xfc00) === 0xdc00) end--;
    pieces.push(text.slice(start, end));
    start = end;
  }
  return pieces;
}
