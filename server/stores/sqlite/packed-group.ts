import type { Write } from "../document-store.ts";

/**
 * Commits as one flat list, in which messages between threads cost half as much as in objects: a message repeats the names of
 * every object's members. For each commit how many writes it has, then for each write its kind, collection, id and expected
 * version, and of a put its version and text.
 */
export type PackedGroup = readonly (string | number)[];

export function packGroup(commits: readonly (readonly Write[])[]): PackedGroup {
  const packed: (string | number)[] = [];
  for (const writes of commits) {
    packed.push(writes.length);
    for (const write of writes) {
      packed.push(write.kind, write.collection, write.id, write.expect);
      if (write.kind === "put") packed.push(write.version, write.text);
    }
  }
  return packed;
}

export function unpackGroup(packed: PackedGroup): Write[][] {
  const commits: Write[][] = [];
  let at = 0;
  const next = <T extends string | number>() => packed[at++] as T;
  while (at < packed.length) {
    const writes: Write[] = [];
    for (let count = next<number>(); count > 0; count--) {
      const kind = next<Write["kind"]>();
      const where = { collection: next<string>(), id: next<string>(), expect: next<number>() };
      if (kind === "put") writes.push({ kind, ...where, version: next<number>(), text: next<string>() });
      else writes.push({ kind, ...where });
    }
    commits.push(writes);
  }
  return commits;
}
