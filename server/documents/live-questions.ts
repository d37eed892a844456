import { createHmac, hkdfSync } from "node:crypto";
import type { Node, SortKey } from "#protocol/ast";
import { canonicalKey } from "#protocol/canonical";
import type { GalleyError } from "#protocol/errors";
import type { LiveQuery } from "#protocol/frames";
import type { Scope } from "../access/authorize.ts";
import type { ReadMasks } from "../access/read-masks.ts";
import type { AskedQuestion, BoundQuestion, ParsedQuestion, Questions } from "../realtime/contract.ts";
import { Recent } from "../recent.ts";
import type { Row } from "../stores/document-store.ts";
import type { Definition, Definitions } from "./definitions.ts";
import { seen } from "./judgement.ts";
import { type ComputingStore, type ListRequest, type LiveRequest, parseLiveQuery } from "./live-requests.ts";
import { demandQueryable } from "./queryable.ts";
import { CANDIDATES, judged, QUERY_MILLISECONDS, withoutIndex } from "./reading.ts";
import { mostCharacters, show } from "./views.ts";

/** Characters of a shape: 96 bits. */
const SHAPE = 16;
/** What is asked by many is read once, as long as it was asked of late: so many questions, each of at most so many characters. */
const ASKED_OF_LATE = { questions: 500, characters: 2000 };
const SHAPES = 500;

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
  const shapes = new Recent<string, string>(SHAPES);
  const lately = new Recent<string, Asked>(ASKED_OF_LATE.questions);

  function shapeOf(look: string): string {
    const known = shapes.get(look);
    if (known !== undefined) return known;
    const shape = createHmac("sha256", key).update(look).digest("base64url").slice(0, SHAPE);
    shapes.set(look, shape);
    return shape;
  }

  function bind(collection: string, request: LiveRequest, rights: Rights): BoundQuestion {
    const { rule, exempt } = rights;
    const { masks, key: hidden } = rights.masks;
    demandQueryable({ masks }, request.paths);
    const filter = judged(request.filter, rule);
    const candidates = exempt ? Number.POSITIVE_INFINITY : CANDIDATES;
    const bare = exempt || development;
    const told = (error: GalleyError) => (bare ? error : (withoutIndex(error) as GalleyError));
    const bound = { collection, filter, candidates, told };
    // Who is told more, or may look at more, shares no window with those who are not.
    const asked = [collection, canonicalKey(filter), bare, exempt];
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
      shape: shapeOf(JSON.stringify([collection, ...look])),
      show: (row: Row) => show(view, seen({ masks }, row)),
    };
  }

  function read(query: LiveQuery, text: string, definition: Definition | undefined): ParsedQuestion {
    const { collection } = query;
    const request = parseLiveQuery(query, definition);
    let last: { readonly rights: Rights; readonly bound: BoundQuestion } | undefined;
    return {
      collection,
      bind(scope) {
        const rights = { rule: ruleFor(request, scope), masks: scope.readMasks, exempt: scope.exempt };
        // Those who may do the same share more than a window: none of them has a question of its own in memory.
        if (!last || !isSame(last.rights, rights)) last = { rights, bound: bind(collection, request, rights) };
        return last.bound;
      },
      asked: (scope) => askedIn(text, scope),
    };
  }

  return {
    parse(query) {
      const definition = definitions.get(query.collection);
      // What is denied is told by it, too: the least that it can be kept as.
      const text = JSON.stringify(query);
      const known = lately.get(text);
      if (known && known.definition === definition) return known.question;
      const question = read(query, text, definition);
      if (text.length <= ASKED_OF_LATE.characters && !MAY_HIDE.test(text)) lately.set(text, { definition, question });
      return question;
    },
  };
}

interface Asked {
  readonly definition: Definition | undefined;
  readonly question: ParsedQuestion;
}

/** A number that JSON cannot hold is written as null, and what is refused must not be taken for what is not. */
const MAY_HIDE = /null/;

/** What is right for somebody, as far as it decides what a question shows them. */
interface Rights {
  readonly rule: Node;
  readonly masks: ReadMasks;
  readonly exempt: boolean;
}

function isSame(one: Rights, other: Rights): boolean {
  return one.rule === other.rule && one.masks === other.masks && one.exempt === other.exempt;
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
