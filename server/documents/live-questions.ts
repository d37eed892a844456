import { createHmac, hkdfSync } from "node:crypto";
import type { SortKey } from "#protocol/ast";
import { canonicalKey } from "#protocol/canonical";
import type { GalleyError } from "#protocol/errors";
import type { Scope } from "../access/authorize.ts";
import type { AskedQuestion, BoundQuestion, Questions } from "../realtime/contract.ts";
import type { Row } from "../stores/document-store.ts";
import type { Definitions } from "./definitions.ts";
import { seen } from "./judgement.ts";
import { type ComputingStore, type ListRequest, type LiveRequest, parseLiveQuery } from "./live-requests.ts";
import { demandQueryable } from "./queryable.ts";
import { CANDIDATES, judged, QUERY_MILLISECONDS, withoutIndex } from "./reading.ts";
import { mostCharacters, show } from "./views.ts";

/** Characters of a shape: 96 bits. */
const SHAPE = 16;

export interface LiveQuestionsOptions {
  readonly store: ComputingStore;
  readonly definitions: Pick<Definitions, "get">;
  /** The server's secrets, newest first. */
  readonly secrets: readonly string[];
  /** Development mode: errors tell which index would help. */
  readonly development: boolean;
}

/** Questions that are watched: read once, and bound to who asks each time that their rights may have changed. */
export function createLiveQuestions(options: LiveQuestionsOptions): Questions {
  const { store, definitions, secrets, development } = options;
  const [newest] = secrets;
  if (newest === undefined) throw new Error("shapes need a secret");
  // What hides fields may be guessed from its hash, but not without a key.
  const key = Buffer.from(hkdfSync("sha256", newest, "", "live shape", 32));

  function bind(collection: string, request: LiveRequest, scope: Scope): BoundQuestion {
    const rule = ruleFor(request, scope);
    const { masks, key: hidden } = scope.readMasks;
    demandQueryable({ masks }, request.paths);
    const filter = judged(request.filter, rule);
    const candidates = scope.exempt ? Number.POSITIVE_INFINITY : CANDIDATES;
    const bare = scope.exempt || development;
    const told = (error: GalleyError) => (bare ? error : (withoutIndex(error) as GalleyError));
    const bound = { collection, filter, candidates, told };
    // Who is told more, or may look at more, shares no window with those who are not.
    const asked = [collection, canonicalKey(filter), bare, scope.exempt];
    if (request.kind === "value") {
      const budget = { candidates, milliseconds: QUERY_MILLISECONDS };
      return {
        ...{ ...bound, kind: "value", identity: JSON.stringify([...asked, request.computes]) },
        read: (at) => request.read(store, { collection, filter, budget, at }),
      };
    }
    const { sort, limit, view } = request;
    const look = [view.select?.map((path) => path.join(".")).sort(), hidden];
    return {
      ...{ ...bound, kind: "list", sort, limit, characters: mostCharacters(view, !masks.none) },
      identity: JSON.stringify([...asked, sort.map(textOf), limit, ...look]),
      // Versions are never given twice, so what else a document looks like hangs on these alone.
      shape: createHmac("sha256", key)
        .update(JSON.stringify([collection, ...look]))
        .digest("base64url")
        .slice(0, SHAPE),
      show: (row: Row) => show(view, seen({ masks }, row)),
    };
  }

  return {
    parse(query) {
      const { collection } = query;
      const request = parseLiveQuery(query, definitions.get(collection));
      // Rarely asked for, and this is the least that it can be kept as.
      const text = JSON.stringify(query);
      return {
        collection,
        bind: (scope) => bind(collection, request, scope),
        asked: (scope) => askedIn(text, scope),
      };
    },
  };
}

function ruleFor(request: LiveRequest, scope: Scope) {
  if (isByIds(request)) return scope.filterOfIds();
  scope.demand("list");
  return scope.filter;
}

/** What somebody sent, as denials tell of it. */
function askedIn(text: string, scope: Scope): AskedQuestion {
  const { collection, get, ...other } = JSON.parse(text) as AskedQuery;
  if (get === undefined) {
    const [body] = Object.values(other);
    return { action: "list", collection, text, ...(body?.filter !== undefined && { filter: body.filter }) };
  }
  const [id, ...more] = get.ids;
  // Where a document's rule asks for more than the document, that of lists judges.
  if (mayGet(scope)) return { action: "list", collection, text, filter: { _id: { $in: get.ids } } };
  return { action: "get", collection, text, ...(id !== undefined && more.length === 0 && { id }) };
}

type AskedQuery = { readonly collection: string; readonly get?: { readonly ids: readonly string[] } } & {
  readonly [kind: string]: { readonly filter?: unknown };
};

function mayGet(scope: Scope): boolean {
  try {
    scope.demand("get");
    return true;
  } catch {
    return false;
  }
}

function isByIds(request: LiveRequest): request is ListRequest {
  return request.kind === "list" && request.byIds;
}

function textOf({ path, descending }: SortKey): string {
  return `${descending ? "-" : ""}${path.join(".")}`;
}
