import type { WriteOptions } from "./types/collection.ts";
import type { Json } from "./types/document.ts";
import { encode, encodeObject } from "./wire.ts";
import { makeId } from "./write-key.ts";

/** One operation of a batch, ready to go; `content` is the JSON text of its document or update. */
export interface Operation {
  readonly op: "create" | "set" | "update" | "delete" | "check";
  readonly collection: string;
  readonly id: string;
  readonly content?: string;
  readonly upsert?: boolean;
  readonly ifVersion?: number | undefined;
}

/** What `batch` and `transaction` collect operations by, below the types that know the documents. */
export interface AnyWriter {
  create(value: Json): string;
  set(id: string, value: Json, options?: Pick<WriteOptions, "ifVersion">): void;
  update(id: string, change: Json, options?: Pick<WriteOptions, "ifVersion"> & { upsert?: boolean }): void;
  delete(id: string, options?: Pick<WriteOptions, "ifVersion">): void;
  check(id: string, options: { ifVersion: number }): void;
}

/** @param add takes each operation; it throws when none is taken any more */
export function createWriter(collection: string, add: (operation: Operation) => void): AnyWriter {
  return {
    create(value) {
      const content = encodeObject(value, "document");
      const id = (value._id as string | undefined) ?? makeId();
      add({ op: "create", collection, id, content });
      return id;
    },
    set: (id, value, { ifVersion } = {}) =>
      add({ op: "set", collection, id, content: encodeObject(value, "document"), ifVersion }),
    update: (id, change, { ifVersion, upsert = false } = {}) =>
      add({ op: "update", collection, id, content: encodeObject(change, "update"), upsert, ifVersion }),
    delete: (id, { ifVersion } = {}) => add({ op: "delete", collection, id, ifVersion }),
    check: (id, { ifVersion }) => add({ op: "check", collection, id, ifVersion }),
  };
}

/** The body of `POST /v1/batch`. */
export function bodyOf(operations: readonly Operation[]): string {
  const items = operations.map(({ op, content, upsert, ...rest }) => {
    const members = encode({ op, ...rest, ...(upsert && { upsert }) }, "operation");
    if (content === undefined) return members;
    return `${members.slice(0, -1)},"${op === "update" ? "update" : "document"}":${content}}`;
  });
  return `{"operations":[${items}]}`;
}
