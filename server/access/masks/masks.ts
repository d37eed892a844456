import type { Path } from "#protocol/paths";
import type { Document, ObjectValue } from "#protocol/values";
import type { BoundField } from "../rule-tree.ts";
import { Cover } from "./mask-cover.ts";
import { fillDefaults } from "./mask-defaults.ts";
import { changedPlace, lostContainer, statedPlace } from "./mask-difference.ts";
import { withoutCovered } from "./mask-hiding.ts";
import { keepCovered } from "./mask-keeping.ts";
import { beginsWith, leadsInto, overlap } from "./mask-paths.ts";
import { createMaskSets, type Verdict, verdictOf } from "./mask-sets.ts";

/**
 * The field masks of one collection for one caller (access-rules.md 6). Pure: nothing given is changed, and results share
 * what they do not change. A mask covers everything beneath its path, so of two masks, one inside the other, the one that
 * withholds wins.
 *
 * The order of a write. `sent` is what the caller sent, `names` is {@link namesOf} of an update:
 * - **create**, also a PUT or an upsert where nothing is stored: `denied(undefined, sent, sent)`, then `fill(sent)`.
 * - **PUT** on `before`: `next = keep(before, sent)`, then `denied(before, next, sent)`. `next` is stored as it is: what
 *   `keep` did not put back is denied, or the caller may write it.
 * - **PATCH** on `before`: `denied(before, before, names.named)`, `unreadable(before, names.sources)` and
 *   `insideUnreadable(before, names.kinds)`, so that no error of applying the update tells about what is hidden; then the
 *   update makes `next`; then `denied(before, next, [])`.
 *
 * Where `unreadable(before, names.named)` is a path, the write must be stored under a new version even if nothing changed:
 * otherwise an unchanged version tells the caller that the value was guessed.
 */
export interface Masks {
  /** Whether there is nothing to mask: then nothing below need be called. */
  readonly none: boolean;
  /**
   * The document without what this caller may not read; the same object if all of it may be read. `_id` and `_v` stay. An
   * object whose members all go stays, as `{}`; an element hidden by its index is null, so that the others keep theirs.
   */
  hide(document: Document): Document;
  /**
   * Names of what is hidden in this document, sorted, whether or not it holds them (which is itself hidden): the part of
   * an ETag that tells representations apart.
   */
  hidden(document: Document): readonly string[];
  /** Defaults of a create, where the caller left the field out (absent, not null). The same object if there are none. */
  fill(fields: ObjectValue): ObjectValue;
  /**
   * PUT: `next` with what it leaves out of what the caller may not write or not read, put back from `before` in its stored
   * place (access-rules.md 6.4). What it states stays for {@link denied} to judge. An array with something unreadable in
   * its elements is put back whole if it is given as the caller sees it.
   */
  keep(before: Document, next: ObjectValue): ObjectValue;
  /**
   * The first path, in text, that the caller may not write although it is changed, or is named where it is unreadable;
   * undefined: none. It never names what is hidden, unless the caller did. Server fields are not looked at.
   *
   * @param before undefined: a create, whose filters are judged on `next` with the defaults
   * @param named what the caller's own input names: paths of an update, where naming what stands above or beneath is
   *   naming it; or the fields of a replacement, which name what they state. A replacement is denied also where it turns
   *   what may hold something unreadable into something else, or changes an array whose elements may: elements cannot be
   *   told from each other without it, so it would be lost or come to stand in another one.
   */
  denied(before: Document | undefined, next: ObjectValue, named: readonly Path[] | ObjectValue): string | undefined;
  /**
   * The first of the paths, in text, that leads to, above or beneath what this caller may not read in this document. What
   * an update reads (the source of `$rename`, conditions of `$pull` and `$[x]`) must not.
   */
  unreadable(document: Document, paths: readonly Path[]): string | undefined;
  /** As {@link unreadable}, of those that lead to it or beneath it: what stands above may be seen, but for a part. */
  insideUnreadable(document: Document, paths: readonly Path[]): string | undefined;
  /** Whether a question may touch a path: its mask, its parents' and its children's are statically true for this caller. */
  queryable(path: Path): boolean;
}

export const NO_MASKS: Masks = Object.freeze({
  none: true,
  hide: (document: Document) => document,
  hidden: () => [],
  fill: (fields: ObjectValue) => fields,
  keep: (_before: Document, next: ObjectValue) => next,
  denied: () => undefined,
  unreadable: () => undefined,
  insideUnreadable: () => undefined,
  queryable: () => true,
});

/** Make one per set of bound fields, not per document. */
export function createMasks(fields: readonly BoundField[]): Masks {
  // `_id` and `_v` cannot be masked.
  const reads = fields
    .filter(({ path, read }) => path[0] !== "_id" && path[0] !== "_v" && read.kind !== "true")
    .map(({ path, read }) => ({ path, withheld: refusal(verdictOf(read)) }));
  // Nobody writes the server's fields: they are neither compared nor put back.
  const own = fields.filter(({ path }) => path[0]?.startsWith("_") === false);
  const writes = own.map(({ path, write, read }) => ({ path, withheld: refusal(verdictOf(write ?? read)) }));
  const changes = own.map(({ path, write, read, immutable }) => ({
    path,
    withheld: immutable || refusal(verdictOf(write ?? read)),
  }));
  const keeps = own.map(({ path, write, read, immutable }) => ({
    path,
    withheld: immutable || either(refusal(verdictOf(write ?? read)), refusal(verdictOf(read))),
  }));
  const defaults = own.flatMap(({ path, default: value }) => (value === undefined ? [] : [{ path, value }]));
  // Parents first, so that a child's default goes into its parent's.
  defaults.sort((a, b) => a.path.length - b.path.length);
  if (reads.length === 0 && defaults.length === 0 && changes.every(({ withheld }) => withheld === false))
    return NO_MASKS;

  const unseenIn = createMaskSets(reads);
  const unseenOwnIn = createMaskSets(reads.filter(({ path }) => path[0]?.startsWith("_") === false));
  const closedAtCreate = createMaskSets(writes);
  const closedIn = createMaskSets(changes);
  const keptIn = createMaskSets(keeps);

  return {
    none: false,
    hide(document) {
      const { cover } = unseenIn(document);
      return cover ? (withoutCovered(document, cover) as Document) : document;
    },
    hidden: (document) => unseenIn(document).names,
    fill: (given) => fillDefaults(given, defaults),
    keep(before, next) {
      const { cover } = keptIn(before);
      const unseen = unseenOwnIn(before).cover;
      // What is covered whole comes back whole first, before a part of it does.
      const kept = cover ? keepCovered(before, next, cover, "seen") : next;
      return unseen ? keepCovered(before, kept, unseen, "unseen") : kept;
    },
    denied(before, next, named) {
      const place = before ? deniedChange(before, next, named) : deniedCreate(next);
      return place?.join(".");
    },
    unreadable(document, paths) {
      const unseen = unseenIn(document).paths;
      return paths.find((path) => unseen.some((mask) => overlap(path, mask)))?.join(".");
    },
    insideUnreadable(document, paths) {
      const unseen = unseenIn(document).paths;
      return paths.find((path) => unseen.some((mask) => leadsInto(path, mask)))?.join(".");
    },
    queryable: (path) => !reads.some((mask) => overlap(path, mask.path)),
  };

  function deniedCreate(next: ObjectValue): Path | undefined {
    const { cover } = closedAtCreate(fillDefaults(next, defaults));
    return cover && changedPlace({}, next, cover);
  }

  function deniedChange(before: Document, next: ObjectValue, named: readonly Path[] | ObjectValue): Path | undefined {
    const closed = closedIn(before);
    const unseen = unseenOwnIn(before);
    const told = isPaths(named)
      ? named.find((path) => meetsBoth(path, closed.paths, unseen.paths))
      : deniedReplacement(before, next, named);
    return told ?? (closed.cover && changedPlace(before, next, closed.cover));
  }

  function deniedReplacement(before: Document, next: ObjectValue, sent: ObjectValue): Path | undefined {
    const unseen = unseenOwnIn(before);
    const blind = Cover.of(inBoth(closedIn(before).paths, unseen.paths));
    return (blind && statedPlace(sent, blind)) ?? (unseen.cover && lostContainer(before, next, sent, unseen.cover));
  }
}

function refusal(verdict: Verdict): Verdict {
  return typeof verdict === "boolean" ? !verdict : (document) => !verdict(document);
}

function either(one: Verdict, other: Verdict): Verdict {
  if (typeof one === "boolean") return one || other;
  return typeof other === "boolean" ? other || one : (document) => one(document) || other(document);
}

function isPaths(named: readonly Path[] | ObjectValue): named is readonly Path[] {
  return Array.isArray(named);
}

/** Whether a path meets a place that is both closed and unseen. */
function meetsBoth(path: Path, closed: readonly Path[], unseen: readonly Path[]): boolean {
  const met = unseen.filter((mask) => overlap(path, mask));
  return met.length > 0 && closed.some((mask) => overlap(path, mask) && met.some((other) => overlap(mask, other)));
}

/** The places that both sets cover, where no path goes through an array. */
function inBoth(closed: readonly Path[], unseen: readonly Path[]): Path[] {
  return closed.flatMap((path) =>
    unseen.flatMap((other) => (beginsWith(path, other) ? [path] : beginsWith(other, path) ? [other] : [])),
  );
}
