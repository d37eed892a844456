import { aggregatePaths } from "#protocol/aggregate";
import type { Node, SortKey } from "#protocol/ast";
import { Faults, GalleyError } from "#protocol/errors";
import { pathsOf } from "#protocol/filter-paths";
import type { LiveQuery } from "#protocol/frames";
import { parseMembers, placeOf } from "#protocol/members";
import { normalise } from "#protocol/normalise";
import type { Path } from "#protocol/paths";
import { parseSort } from "#protocol/sort";
import { encodeValue } from "#protocol/values";
import type { DocumentStore, Position, Query } from "../stores/document-store.ts";
import type { Definition } from "./definitions.ts";
import { groupText } from "./reading.ts";
import { parseCount, parseDistinct, parseFind, parseGrouping, parseView, type View } from "./requests.ts";

/** What is asked, before it is bound to who asks. */
export type LiveRequest = ListRequest | ValueRequest;

interface Asked {
  /** The client's own filter, normalised. */
  readonly filter: Node;
  /** All paths that the question touches. */
  readonly paths: readonly Path[];
}

export interface ListRequest extends Asked {
  readonly kind: "list";
  /** Whether documents are named by their ids: then the rule of `get` judges. */
  readonly byIds: boolean;
  readonly sort: readonly SortKey[];
  readonly limit: number;
  readonly view: View;
}

export interface ValueRequest extends Asked {
  readonly kind: "value";
  /** Canonical text of what is computed over the matches. */
  readonly computes: string;
  read(store: ComputingStore, query: Query): Promise<LiveValue>;
}

export type ComputingStore = Pick<DocumentStore, "count" | "distinct" | "aggregate">;

/** JSON text of an answer, and where it is exact. */
export interface LiveValue {
  readonly text: string;
  readonly position: Position;
}

/** Members of each body, and those that it has over HTTP alone. */
const MEMBERS = {
  find: ["filter", "sort", "limit", "select"],
  get: ["ids", "select"],
  count: ["filter", "cap"],
  distinct: ["filter", "path"],
  aggregate: ["filter", "group", "out", "sort", "limit"],
} as const;
const LATER = ["after", "expand", "near", "types", "plain"];

/**
 * Reads a live question with the parsers of HTTP bodies.
 * @throws GalleyError `invalid_argument` with the path of every fault, from the frame on: `q.find.filter.status`
 */
export function parseLiveQuery(query: LiveQuery, definition: Definition | undefined): LiveRequest {
  if ("find" in query) return reading("find", query.find, (body) => listOf(body, definition));
  if ("get" in query) return reading("get", query.get, () => byIds(query.get, definition));
  if ("count" in query) return reading("count", query.count, (body) => countOf(body, definition));
  if ("distinct" in query) return reading("distinct", query.distinct, (body) => distinctOf(body, definition));
  return reading("aggregate", query.aggregate, (body) => aggregateOf(body, definition));
}

function reading<T>(name: keyof typeof MEMBERS, body: object, parse: (body: object) => T): T {
  const at = `q.${name}`;
  const faults = new Faults();
  for (const later of LATER) {
    if (Object.hasOwn(body, later))
      faults.add(placeOf(at, later), "not_available_yet", "cannot be watched: leave it out");
  }
  const known = faults.any ? [...MEMBERS[name], ...LATER] : MEMBERS[name];
  parseMembers(body, at, known, faults);
  faults.throwIfAny();
  try {
    return parse(body);
  } catch (error) {
    throw error instanceof GalleyError ? below(at, error) : error;
  }
}

/** The parsers know where a fault is in their body, not where the body is. */
function below(at: string, error: GalleyError): GalleyError {
  const { faults, ...details } = error.details;
  if (!faults) return error;
  const placed = faults.map((fault) => ({
    ...fault,
    path: placeOf(at, fault.path),
    message: placeOf(at, fault.message),
  }));
  return new GalleyError(error.code, placeOf(at, error.message), { ...details, faults: placed }, error.cause);
}

function listOf(body: object, definition: Definition | undefined): ListRequest {
  const { filter, sort, limit, view } = parseFind(body, definition);
  const paths = [...pathsOf(filter), ...sort.map(({ path }) => path)];
  return { kind: "list", byIds: false, filter, paths, sort, limit, view };
}

const BY_ID = Object.freeze(parseSort(undefined, "sort", new Faults()));

function byIds(
  { ids, select }: { readonly ids: readonly string[]; readonly select?: readonly string[] },
  definition: Definition | undefined,
): ListRequest {
  const filter = normalise({ kind: "in", path: ["_id"], values: ids });
  const limit = Math.max(1, new Set(ids).size);
  const view = parseView({ select }, definition);
  return { kind: "list", byIds: true, filter, paths: [["_id"]], sort: BY_ID, limit, view };
}

function countOf(body: object, definition: Definition | undefined): ValueRequest {
  const { filter, cap } = parseCount(body, definition);
  return {
    ...{ kind: "value", filter, paths: pathsOf(filter), computes: JSON.stringify(["count", cap]) },
    async read(store, query) {
      const { count, more, position } = await store.count({ ...query, cap });
      return { text: `{"count":${count},"more":${more}}`, position };
    },
  };
}

function distinctOf(body: object, definition: Definition | undefined): ValueRequest {
  const { filter, path } = parseDistinct(body, definition);
  return {
    ...{ kind: "value", filter, paths: [...pathsOf(filter), path], computes: JSON.stringify(["distinct", path]) },
    async read(store, query) {
      const { values, more, position } = await store.distinct({ ...query, path });
      return { text: `{"values":[${values.map(encodeValue).join(",")}],"more":${more}}`, position };
    },
  };
}

function aggregateOf(body: object, definition: Definition | undefined): ValueRequest {
  const { filter, aggregate } = parseGrouping(body, definition);
  const paths = [...pathsOf(filter), ...aggregatePaths(aggregate)];
  return {
    ...{ kind: "value", filter, paths, computes: JSON.stringify(["aggregate", aggregate]) },
    async read(store, query) {
      const { groups, more, position } = await store.aggregate({ ...query, aggregate });
      return {
        text: `{"groups":[${groups.map((group) => groupText(group, encodeValue)).join(",")}],"more":${more}}`,
        position,
      };
    },
  };
}
