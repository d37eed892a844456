import { GalleyError } from "#protocol/errors";
import { LIMITS } from "#protocol/limits";
import { sameData } from "#protocol/same-data";
import { applyUpdate } from "#protocol/update";
import type { Update } from "#protocol/update-ast";
import { type Document, encodeValue, type ObjectValue } from "#protocol/values";
import type { Scope } from "../access/authorize.ts";
import { namesOf } from "../access/masks/update-names.ts";
import { demandRoom } from "./hidden-room.ts";
import { createdAt, fieldsOf, type Image, imageOf } from "./images.ts";
import { discreet } from "./judgement.ts";
import { deeperThan } from "./nesting.ts";
import type { Schema } from "./schema/schema.ts";

/** One thing to do with one document, parsed. */
export type Operation = Change & {
  readonly id: string;
  /** The version that must be stored; 0 demands absence. */
  readonly ifVersion?: number;
  /** Any version, but one must be stored. */
  readonly mustExist?: boolean;
};

type Change =
  | { readonly op: "create" | "set"; readonly fields: ObjectValue }
  | { readonly op: "update"; readonly update: Update; readonly upsert: boolean }
  | { readonly op: "delete" | "check" };

/** What an operation is judged and computed with. */
export interface OperationContext {
  readonly scope: Scope;
  readonly schema: Schema | undefined;
  /** The request's one instant. */
  readonly now: Date;
  /** The version of what is stored in place of an image. */
  nextVersion(before: Image | undefined): number;
  /** Whether `ifVersion` holds for an image. Absence is 0. */
  hasVersion?(before: Image | undefined, version: number): boolean;
  /**
   * Takes the error of a write to an id that is taken, where its sender may not see by what: it ends with that error once the
   * schema has judged what it would have stored, and never later than one to a free id would. Undefined: both at once.
   */
  endsWith?(error: GalleyError): void;
}

/**
 * The image that an operation leaves, judged by the rule before and after; undefined: none. It is `before` itself if
 * nothing changes. The schema is the caller's to enforce, on what is stored in the end.
 *
 * @throws GalleyError what the operation ends with for this caller
 */
export function operate(operation: Operation, before: Image | undefined, context: OperationContext): Image | undefined {
  switch (operation.op) {
    case "create": {
      // The same for an id that is taken and for one that is free, until the image could be stored.
      const image = insert(operation.id, operation.fields, context);
      if (before) return standIn(image, taken(operation), context);
      checkVersion(operation, before, context);
      return image;
    }
    case "set":
      if (!before) return insertDemanded(operation, context);
      return admit("update", operation, before, context) ?? put(before, operation.fields, context);
    case "update":
      if (!before) {
        if (!operation.upsert) throw missing(operation, context);
        return insertDemanded(operation, context);
      }
      return admit("update", operation, before, context) ?? patch(before, operation.update, context);
    case "delete":
      if (!before) throw missing(operation, context);
      admit("delete", operation, before, context);
      return undefined;
    case "check": {
      const visible = before && context.scope.allows("get", { image: before }) ? before : undefined;
      if (!visible && operation.ifVersion !== 0) throw missing(operation, context);
      checkVersion(operation, visible, context);
      return before;
    }
  }
}

type Insertable = Extract<Operation, { readonly fields: ObjectValue } | { readonly update: Update }>;

/** What a replacement or an upsert makes where nothing is stored. */
function insertDemanded(operation: Insertable, context: OperationContext): Image {
  if (operation.mustExist || (operation.ifVersion ?? 0) > 0) throw missing(operation, context);
  if (operation.op !== "update") return insert(operation.id, operation.fields, context);
  const fields = applyUpdate(operation.update, {}, { now: context.now, inserting: true });
  return insert(operation.id, fields, context);
}

/** Enforces the schema on an image that is going to be stored. @param scope of whoever is told of faults, if masks bind them */
export function enforceSchema(image: Image, schema: Schema | undefined, at: string, scope?: Scope): void {
  try {
    schema?.enforce(fieldsOf(image.value), at, image.text.length);
  } catch (error) {
    throw scope ? discreet(scope, image, error) : error;
  }
}

function insert(id: string, fields: ObjectValue, context: OperationContext): Image {
  const { now } = context;
  const server = { _id: id, _v: context.nextVersion(undefined), _createdAt: now, _updatedAt: now };
  const { scope } = context;
  const { masks } = scope;
  scope.demand("create");
  // A mask may ask for the server's fields: what is one's own is told by `_id`, where people are documents.
  if (!masks.none) demandWritable(masks.denied(undefined, { ...server, ...fields }, fields));
  const image = imageOf(server, filled(shallowEnough(masks.fill(fields), fields), context));
  if (!scope.allows("create", { image })) throw denied();
  return image;
}

/** A replacement keeps what its sender may not see or write. */
function put(before: Image, sent: ObjectValue, context: OperationContext): Image {
  const { masks } = context.scope;
  if (masks.none) return replace(before, filled(sent, context), context);
  const next = masks.keep(before.value, sent);
  demandWritable(masks.denied(before.value, next, sent));
  const blind = masks.unreadable(
    before.value,
    Object.keys(sent).map((name) => [name]),
  );
  return replace(before, filled(next, context), context, blind !== undefined);
}

function patch(before: Image, update: Update, context: OperationContext): Image {
  const { now, scope } = context;
  const { masks } = scope;
  if (masks.none) return replace(before, applyUpdate(update, before.value, { now, inserting: false }), context);
  const { named, sources, kinds } = namesOf(update);
  // First, so that no error of the update itself tells about what is hidden.
  demandWritable(masks.denied(before.value, before.value, named));
  demandReadable(masks.unreadable(before.value, sources) ?? masks.insideUnreadable(before.value, kinds));
  const next = applyUpdate(update, before.value, { now, inserting: false });
  // Whoever writes one value in many places is refused for the size before anything else: here too.
  if (multiplies(update)) demandRoom({ value: next as Document, text: encodeValue(next) }, masks);
  demandWritable(masks.denied(before.value, next, []));
  return replace(before, next, context, masks.unreadable(before.value, named) !== undefined);
}

function multiplies({ changes }: Update): boolean {
  return changes.some(({ path }) => path.segments.some((segment) => typeof segment !== "string"));
}

/**
 * What changes nothing stays as it is, unless that would tell that a hidden value was guessed: then it counts as changed.
 *
 * @param next the document's own fields; the server's are made anew
 * @param blind whether the caller names what it may not read
 */
function replace(before: Image, next: ObjectValue, context: OperationContext, blind = false): Image {
  if (!blind && sameData(before.value, next) && context.scope.allows("get", { image: before })) return before;
  const server = {
    _id: before.id,
    _v: context.nextVersion(before),
    _createdAt: createdAt(before.value, context.now),
    _updatedAt: context.now,
  };
  const image = imageOf(server, fieldsOf(next));
  if (!context.scope.masks.none) demandRoom(image, context.scope.masks);
  if (!context.scope.allows("update", { image, before })) throw denied();
  return image;
}

function filled(fields: ObjectValue, { schema }: OperationContext): ObjectValue {
  return schema ? withDefaults(schema, fields) : fields;
}

/** @throws GalleyError `schema_violation` if the defaults nest the document too deep */
export function withDefaults(schema: Schema, fields: ObjectValue): ObjectValue {
  const full = schema.fill(fields);
  return shallowEnough(full, fields);
}

/** @throws GalleyError `schema_violation` if defaults nest a document too deep */
function shallowEnough(full: ObjectValue, fields: ObjectValue): ObjectValue {
  if (full !== fields && deeperThan(full, LIMITS.documentDepth)) {
    const message = `the defaults nest the document deeper than ${LIMITS.documentDepth} levels`;
    throw new GalleyError("schema_violation", message);
  }
  return full;
}

function demandWritable(path: string | undefined): void {
  if (path === undefined) return;
  const message = `${path}: the access rules do not allow this field to be changed`;
  throw new GalleyError("permission_denied", message, { field: path });
}

/** What cannot be read can only be replaced whole: whether anything else can be done with it tells what it is. */
function demandReadable(path: string | undefined): void {
  if (path === undefined) return;
  const message = `${path}: the access rules allow this field only to be set or unset as a whole`;
  throw new GalleyError("permission_denied", message, { field: path });
}

/**
 * The rule on what is stored, then the version: a document that may not be seen tells nothing, not even that.
 *
 * @returns what stands in for what may not be seen
 */
function admit(
  action: "update" | "delete",
  operation: Operation,
  before: Image,
  context: OperationContext,
): Image | undefined {
  // What a key may do does not depend on the document.
  if (context.scope.exempt) context.scope.demand(action);
  const images = { image: before };
  if (!context.scope.allows(action, images)) {
    if (context.scope.allows("get", images)) throw denied();
    return unseen(operation, context);
  }
  checkVersion(operation, before, context);
  return undefined;
}

/** What ends a write to what its sender may not see: the same as if it was not there, as long as that too is an error. */
function unseen(operation: Operation, context: OperationContext): Image {
  if (operation.op === "set" || (operation.op === "update" && operation.upsert)) {
    return standIn(insertDemanded(operation, context), notFound(), context);
  }
  throw notFound();
}

/** What a free id would have come to stands in for what is there, until the write ends with its error. */
function standIn(image: Image, error: GalleyError, context: OperationContext): Image {
  if (!context.endsWith) {
    enforceSchema(image, context.schema, "document", context.scope);
    throw error;
  }
  context.endsWith(error);
  return image;
}

function checkVersion(operation: Operation, before: Image | undefined, context: OperationContext): void {
  const { ifVersion, mustExist } = operation;
  if (mustExist && !before) throw versionConflict("there is no such document");
  if (ifVersion === undefined) return;
  const has = context.hasVersion ?? ((image, version) => (image?.version ?? 0) === version);
  if (has(before, ifVersion)) return;
  throw versionConflict(
    ifVersion === 0
      ? "the document exists already"
      : "the document has changed since that version was read: read it again",
  );
}

/** Where nothing can be hidden from the caller, absence may be told as the version conflict that it is. */
function missing(operation: Operation, { scope }: OperationContext): GalleyError {
  const demands = operation.mustExist || (operation.ifVersion ?? 0) > 0;
  return demands && scope.always("get") ? versionConflict("there is no such document any more") : notFound();
}

function versionConflict(message: string): GalleyError {
  return new GalleyError("version_conflict", message);
}

/** The end of a create whose id is taken: who demanded absence is told that this does not hold, like on any write. */
export function taken({ ifVersion }: Pick<Operation, "ifVersion">): GalleyError {
  if (ifVersion === 0) return versionConflict("the document exists already");
  return new GalleyError("already_exists", "a document with this _id exists already");
}

export function notFound(): GalleyError {
  return new GalleyError("not_found", "there is no such document");
}

function denied(): GalleyError {
  return new GalleyError("permission_denied", "the access rules do not allow this change");
}
