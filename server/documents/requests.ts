import type { Aggregate } from "#protocol/aggregate";
import { parseAggregate } from "#protocol/aggregate";
import type { Node, SortKey } from "#protocol/ast";
import { parseCap, parseLimit } from "#protocol/bound";
import { describe } from "#protocol/describe";
import { Faults } from "#protocol/errors";
import { parseExpand } from "#protocol/expand";
import { parseFilter } from "#protocol/filter";
import { normalise } from "#protocol/normalise";
import type { Path } from "#protocol/paths";
import { parsePlainPath } from "#protocol/paths";
import { parseSelect } from "#protocol/select";
import { parseSort } from "#protocol/sort";
import type { AggregateRequest, CountRequest, DistinctRequest, FindRequest, ReadRequest } from "./contract.ts";
import type { Definition } from "./definitions.ts";
import { checkLiterals } from "./literals.ts";
import { PlainReader } from "./plain.ts";
import type { Places } from "./schema/places.ts";
import { OPEN_PLACES } from "./schema/schema.ts";

/** How a document is shown: which parts, and what is brought along. */
export interface View {
  readonly select: readonly Path[] | undefined;
  readonly expand: readonly Expansion[];
  readonly plain: boolean;
}

/** A path of references, and the collection that they point to. */
export interface Expansion {
  readonly path: Path;
  readonly target: string;
}

/**
 * The parts of a read request, parsed. Each function reads everything before it complains, so that one answer lists
 * every fault of every part.
 *
 * @throws GalleyError `invalid_argument`
 */
export function parseView(request: ReadRequest, definition: Definition | undefined): View {
  return wholeView(request) ?? collecting((faults) => viewOf(request, definition, faults));
}

export interface ParsedFind {
  readonly view: View;
  readonly filter: Node;
  readonly sort: readonly SortKey[];
  readonly limit: number;
}

export function parseFind(request: FindRequest, definition: Definition | undefined): ParsedFind {
  return collecting((faults) => ({
    filter: filterOf(request, definition, faults),
    sort: sortOf(request, faults),
    limit: parseLimit(request.limit, "limit", faults),
    view: wholeView(request) ?? viewOf(request, definition, faults),
  }));
}

export function parseCount(request: CountRequest, definition: Definition | undefined): { filter: Node; cap: number } {
  return collecting((faults) => ({
    filter: filterOf(request, definition, faults),
    cap: parseCap(request.cap, "cap", faults),
  }));
}

export function parseDistinct(
  request: DistinctRequest,
  definition: Definition | undefined,
): { filter: Node; path: Path } {
  return collecting((faults) => ({
    filter: filterOf(request, definition, faults),
    path: pathOf(request.path, "path", faults),
  }));
}

export function parseGrouping(
  request: AggregateRequest,
  definition: Definition | undefined,
): { filter: Node; aggregate: Aggregate } {
  const { group, out, sort, limit } = request;
  const given = Object.entries({ group, out, sort, limit }).filter(([, member]) => member !== undefined);
  return collecting((faults) => ({
    filter: filterOf(request, definition, faults),
    aggregate: parseAggregate(Object.fromEntries(given), "", faults),
  }));
}

function collecting<T>(parse: (faults: Faults) => T): T {
  const faults = new Faults();
  const parsed = parse(faults);
  faults.throwIfAny();
  return parsed;
}

/** What frozen filters and sorts were parsed to: transport hands out the same one for the same text. */
const filters = new WeakMap<object, { readonly places: Places; readonly plain: boolean; readonly node: Node }>();
const sorts = new WeakMap<object, readonly SortKey[]>();

function filterOf(
  request: { readonly filter?: unknown; readonly plain?: boolean },
  definition: Definition | undefined,
  faults: Faults,
): Node {
  const { filter: given = NO_FILTER, plain = false } = request;
  const places = definition?.schema?.places ?? OPEN_PLACES;
  const known = isFrozen(given) ? filters.get(given) : undefined;
  if (known && known.places === places && known.plain === plain) return known.node;
  const before = faults.list.length;
  const parsed = parseFilter(plain ? new PlainReader(places).filter(given) : given, "filter", faults);
  if (faults.list.length === before) checkLiterals(parsed, places, "filter", faults);
  const node = normalise(parsed);
  if (faults.list.length === before && isFrozen(given)) filters.set(given, { places, plain, node });
  return node;
}

const NO_FILTER = Object.freeze({});
const BY_ID: readonly SortKey[] = Object.freeze(parseSort(undefined, "sort", new Faults()));

function sortOf({ sort: given }: FindRequest, faults: Faults): readonly SortKey[] {
  if (given === undefined) return BY_ID;
  const known = isFrozen(given) ? sorts.get(given) : undefined;
  if (known) return known;
  const before = faults.list.length;
  const sort = parseSort(given, "sort", faults);
  if (faults.list.length === before && isFrozen(given)) sorts.set(given, sort);
  return sort;
}

/** Whoever freezes what it hands over freezes all of it. */
function isFrozen(given: unknown): given is object {
  return typeof given === "object" && given !== null && Object.isFrozen(given);
}

const WHOLE: View = Object.freeze({ select: undefined, expand: Object.freeze([]), plain: false });
const WHOLE_PLAIN: View = Object.freeze({ ...WHOLE, plain: true });

/** What most requests ask for: whole documents, with nothing beside them. */
function wholeView({ select, expand, plain }: ReadRequest): View | undefined {
  if (select !== undefined || expand !== undefined) return undefined;
  return plain ? WHOLE_PLAIN : WHOLE;
}

function viewOf(request: ReadRequest, definition: Definition | undefined, faults: Faults): View {
  const paths = request.expand === undefined ? [] : parseExpand(request.expand, "expand", faults);
  return {
    select: request.select === undefined ? undefined : parseSelect(request.select, "select", faults),
    expand: paths.flatMap((path) => expansionOf(path, definition, faults) ?? []),
    plain: request.plain ?? false,
  };
}

function expansionOf(path: Path, definition: Definition | undefined, faults: Faults): Expansion | undefined {
  const places = definition?.schema?.places;
  const target = places?.ref(places.at(path));
  if (target !== undefined) return { path, target };
  faults.add(
    `expand.${path.join(".")}`,
    "bad_path",
    'expects a path that the schema declares as {"ref": "<collection>"}',
  );
  return undefined;
}

function pathOf(input: unknown, at: string, faults: Faults): Path {
  if (typeof input === "string") return parsePlainPath(input, at, faults);
  faults.add(
    at,
    input === undefined ? "missing_member" : "bad_operand",
    `expects a path as text, got ${describe(input)}`,
  );
  return [];
}
