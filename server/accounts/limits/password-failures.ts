import type { ObjectValue } from "#protocol/values";
import type { DocumentStore, Row, Write } from "../../stores/document-store.ts";
import { putRecord, type Stored, storedOf } from "../record.ts";
import type { LimitSettings } from "../settings/settings.ts";
import { LIMITS_RECORDS } from "./limit-records.ts";

/**
 * Passwords that were tried for one account and did not prove right. Tries write this one, and nothing else does: what
 * proved right is told by a record of its own ({@link PasswordSuccess}), so that a sign-in's commit never fails because of
 * somebody's wrong guess.
 */
export interface PasswordFailures extends Stored {
  /** In a row, over all sources. */
  readonly row: number;
  readonly sources: readonly FailingSource[];
  /** Version of the success that has been taken off; 0: none. */
  readonly success: number;
  /** When all of it is forgotten; undefined: passwords are closed, and stay so. */
  readonly expiresAt: Date | undefined;
}

/** A network or a known device. */
export interface FailingSource {
  readonly id: string;
  /** Whether it is a device that has signed in before. */
  readonly known: boolean;
  /** In a row. */
  readonly failures: number;
  readonly last: Date;
}

/** The last password that proved right: how many failures of then it takes away. */
export interface PasswordSuccess extends Stored {
  readonly row: number;
  /** Of which source; undefined: of all of them, because the password is a new one. */
  readonly source: string | undefined;
  readonly failures: number;
  /** That of the failures then. */
  readonly expiresAt: Date | undefined;
}

type Limits = LimitSettings["account"];
export type Source = Pick<FailingSource, "id" | "known">;

const DAY = 24 * 60 * 60 * 1000;
/**
 * Sources remembered of one account. A row that closes has no more, and each success in between, which only the account's
 * owner can have, makes room for another row; those that would be forgotten soonest go first.
 */
const MOST_SOURCES = 200;

export function noFailures(stored: Stored): PasswordFailures {
  return { ...stored, row: 0, sources: [], success: 0, expiresAt: undefined };
}

export function noSuccess(stored: Stored): PasswordSuccess {
  return { ...stored, row: 0, source: undefined, failures: 0, expiresAt: undefined };
}

/** What is held against an account now: without what proved right since, and without what is long ago. */
export function failuresNow(
  stored: PasswordFailures,
  success: PasswordSuccess,
  limits: Limits,
  now: number,
): PasswordFailures {
  const { row, sources } = withoutSuccess(stored, success);
  const isOver = stored.expiresAt !== undefined && stored.expiresAt.getTime() <= now;
  return {
    ...stored,
    row: isOver ? 0 : row,
    sources: isOver ? [] : sources.filter((source) => forgottenAt(source, limits) > now),
    success: success.version,
  };
}

/** Each success is taken off once. There are never two of them to take off: the next is stored over the one before. */
function withoutSuccess(stored: PasswordFailures, success: PasswordSuccess): Pick<PasswordFailures, "row" | "sources"> {
  if (success.version === stored.success) return stored;
  const row = Math.max(0, stored.row - success.row);
  if (success.source === undefined) return { row, sources: [] };
  const sources = stored.sources.map((source) =>
    source.id === success.source ? { ...source, failures: source.failures - success.failures } : source,
  );
  return { row, sources: sources.filter(({ failures }) => failures > 0) };
}

/** Whether nobody but a known device gets in by password. */
export function isClosed({ row }: Pick<PasswordFailures, "row">, { passwordFailuresInARow }: Limits): boolean {
  return row >= passwordFailuresInARow;
}

/** Milliseconds that a source has to wait before its next try; 0: none. */
export function waitOf(
  { sources }: PasswordFailures,
  { id }: Source,
  { freePasswordFailures, longestWaitSeconds }: Limits,
  now: number,
): number {
  const source = sources.find((one) => one.id === id);
  if (!source || source.failures < freePasswordFailures) return 0;
  const wait = Math.min(2 ** (source.failures - freePasswordFailures), longestWaitSeconds) * 1000;
  // Another node's clock may be ahead: nobody waits for longer because of that.
  return Math.min(wait, Math.max(0, source.last.getTime() + wait - now));
}

/** With one more try, which counts as a failure until it proves right. @returns also how many its source has then */
export function withTry(failures: PasswordFailures, { id, known }: Source, limits: Limits, now: number) {
  const before = failures.sources.find((one) => one.id === id);
  const source = { id, known, failures: (before?.failures ?? 0) + 1, last: new Date(now) };
  const others = failures.sources.filter((one) => one.id !== id);
  // A known device goes on where passwords are closed, and opens them for nobody else.
  const row = isClosed(failures, limits) ? failures.row : failures.row + 1;
  return { own: source.failures, failures: { ...failures, row, sources: [...mostWorth(others, limits), source] } };
}

function mostWorth(sources: readonly FailingSource[], limits: Limits): readonly FailingSource[] {
  if (sources.length < MOST_SOURCES) return sources;
  const worth = (source: FailingSource) => (source.known ? Infinity : forgottenAt(source, limits));
  const least = sources.reduce((a, b) => (worth(b) < worth(a) ? b : a));
  return sources.filter((source) => source !== least);
}

/** So late that nobody gets more tries by waiting to be forgotten than one each longest wait. */
function forgottenAt({ failures, last }: FailingSource, { longestWaitSeconds }: Limits): number {
  return last.getTime() + failures * longestWaitSeconds * 1000;
}

/** A failure of the row is forgotten after a day without tries for each: from many networks, too, it is one guess a day. */
function expiryOf({ row, sources }: PasswordFailures, limits: Limits, now: number): number {
  return Math.max(now + row * DAY, ...sources.map((source) => forgottenAt(source, limits)));
}

export function readFailures(row: Row): PasswordFailures {
  const { value } = row;
  return {
    ...storedOf(row),
    row: Number(value.row),
    sources: value.sources as unknown as readonly FailingSource[],
    success: Number(value.success),
    expiresAt: value.expiresAt as Date | undefined,
  };
}

/** Stores failures with the time at which they are forgotten. */
export function writeFailures(store: DocumentStore, failures: PasswordFailures, limits: Limits, now: number) {
  const { id, version, createdAt, row, success } = failures;
  const sources = failures.sources.map((source): ObjectValue => ({ ...source }));
  const expiresAt = isClosed(failures, limits) ? undefined : new Date(expiryOf(failures, limits, now));
  const write = putRecord(
    store,
    LIMITS_RECORDS.name,
    { id, version, createdAt },
    { row, sources, success, expiresAt },
    now,
  );
  return { write, expiresAt };
}

export function readSuccess(row: Row): PasswordSuccess {
  const { value } = row;
  return {
    ...storedOf(row),
    row: Number(value.row),
    source: value.source as string | undefined,
    failures: Number(value.failures),
    expiresAt: value.expiresAt as Date | undefined,
  };
}

/** Stores a success over the one that was known when its password was tried. */
export function writeSuccess(store: DocumentStore, success: PasswordSuccess, now: number): Write {
  const { id, version, createdAt, row, source, failures, expiresAt } = success;
  return putRecord(store, LIMITS_RECORDS.name, { id, version, createdAt }, { row, source, failures, expiresAt }, now);
}
