import type { ObjectValue, Value } from "#protocol/values";
import type { IndexDefinition, Row } from "../stores/document-store.ts";
import { Schema } from "./schema/schema.ts";

/** What a collection is declared to be. */
export interface Definition {
  readonly name: string;
  /** Rises with every change. */
  readonly version: number;
  readonly createdAt: Date;
  readonly schema: Schema | undefined;
  readonly indexes: readonly IndexDefinition[];
  /** A change under way, to be ended by others if its node does not. */
  readonly pending?: Change & { readonly by: string };
}

/**
 * A change that takes more than one commit. `create`: the collection is still being made. `drop`: it is going. Else what
 * was defined before a change that is still being checked.
 */
export type Change =
  | { readonly kind: "create" | "drop" }
  | { readonly kind: "change"; readonly schema: Schema | undefined; readonly indexes: readonly IndexDefinition[] };

/** The document of a definition. A schema is kept as text: its keywords (`$ref`) are no legal keys of a document. */
export function writeDefinition(definition: Definition, now: Date): ObjectValue {
  const { name, version, schema, indexes, pending } = definition;
  return {
    _id: name,
    _v: version,
    _createdAt: definition.createdAt,
    _updatedAt: now,
    ...writeContent(schema, indexes),
    ...(pending && { pending: writePending(pending) }),
  };
}

function writePending(pending: NonNullable<Definition["pending"]>): ObjectValue {
  const { kind, by } = pending;
  return kind === "change" ? { kind, by, ...writeContent(pending.schema, pending.indexes) } : { kind, by };
}

function writeContent(schema: Schema | undefined, indexes: readonly IndexDefinition[]): ObjectValue {
  const list = indexes.map(({ paths, unique }): ObjectValue => (unique ? { paths, unique } : { paths }));
  return schema ? { schema: JSON.stringify(schema.source), indexes: list } : { indexes: list };
}

export function readDefinition(row: Row): Definition {
  const { value, version } = row;
  const pending = value.pending as ObjectValue | undefined;
  const definition = { name: row.id, version, createdAt: value._createdAt, ...readContent(value) };
  return pending ? { ...definition, pending: readPending(pending) } : definition;
}

function readPending(pending: ObjectValue): NonNullable<Definition["pending"]> {
  const by = String(pending.by ?? "");
  switch (pending.kind) {
    case "create":
    case "drop":
      return { kind: pending.kind, by };
    default:
      return { kind: "change", by, ...readContent(pending) };
  }
}

function readContent(value: ObjectValue): Pick<Definition, "schema" | "indexes"> {
  const source: Value | undefined = value.schema;
  return {
    schema: typeof source === "string" ? new Schema(JSON.parse(source)) : undefined,
    indexes: value.indexes as unknown as readonly IndexDefinition[],
  };
}
