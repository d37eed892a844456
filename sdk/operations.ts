import { encode, encodeObject, withMember } from "./encode.ts";
import { ApiError } from "./error.ts";
import type { BatchCollection } from "./types/batch.ts";
import type { Json } from "./types/document.ts";
import { makeId } from "./write-key.ts";

/** One operation of a batch, ready to go; `content` is the JSON text of its document or update. */
export interface Operation {
  readonly op: "create" | "set" | "update" | "delete" | "check";
  readonly collection: string;
  readonly id: string;
  readonly ifVersion?: number | undefined;
  readonly upsert?: boolean | undefined;
  readonly content?: string;
}

/**
 * Collects operations on one collection.
 *
 * @param operations where they go; once that is frozen, more would be lost and are refused
 */
export function createWriter(collection: string, operations: Operation[]): BatchCollection<Json> {
  const add = (op: Operation["op"], id: string, more?: Partial<Operation>): void => {
    if (Object.isFrozen(operations)) {
      throw new ApiError("failed_precondition", "this write came after its batch", { status: 412 });
    }
    operations.push({ op, collection, id, ...more });
  };
  return {
    create(value) {
      const content = encodeObject(value, "document");
      const { _id: id = makeId() } = value;
      add("create", id, { content });
      return id;
    },
    set: (id, value, options) => add("set", id, { ...options, content: encodeObject(value, "document") }),
    update: (id, change, options) => add("update", id, { ...options, content: encodeObject(change, "update") }),
    delete: (id, options) => add("delete", id, options),
    check: (id, options) => add("check", id, options),
  };
}

/** The body of `POST /v1/batch`. */
export function bodyOf(operations: readonly Operation[]): string {
  const items = operations.map(({ content, ...operation }) => {
    const members = encode(operation, "operation");
    return content ? withMember(operation.op === "update" ? "update" : "document", content, members) : members;
  });
  return `{"operations":[${items}]}`;
}
