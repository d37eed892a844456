import type { ApiError } from "../error.ts";
import { attach, follow } from "../expand.ts";
import type { Http } from "../http.ts";
import type { LiveState } from "../types/live.ts";
import { changesOf } from "./changes.ts";
import type { Row } from "./overlay.ts";
import { type Watched, watchedOf } from "./question.ts";
import type { Taker } from "./teller.ts";

/** Ids that one subscription may name; live-queries.md 7. */
const MOST_IDS = 256;
/** Subscriptions of one collection, beyond which all that is referred to is asked for anew by as few as will do. */
const MOST_SOURCES = 6;
const AGAIN = 3000;

/** Tells somebody the states of a question, at once what is known. @returns what ends it */
export type Open = (key: string, taker: Taker, linger?: number) => () => void;

export interface JoinsOptions extends Pick<Http, "send"> {
  readonly open: Open;
  /** Has `combine` called in the next flush. */
  readonly wake: (taker: Taker) => void;
}

interface JoinOptions extends JoinsOptions {
  readonly watched: Watched;
}

/** Makes of `open` one for questions with `expand`, which equal ones share. */
export function createJoins(options: JoinsOptions): Open {
  const joins = new Map<string, Join>();
  return (key, taker) => {
    const known = joins.get(key);
    // Of what was refused, whoever asks the same later asks anew.
    const join = known && !known.told?.error ? known : new Join({ ...options, watched: watchedOf(key) });
    joins.set(key, join);
    join.takers.add(taker);
    if (join.told) taker.hold(join.told);
    return () => {
      if (!join.takers.delete(taker) || join.takers.size > 0) return;
      if (joins.get(key) === join) joins.delete(key);
      join.close();
    };
  };
}

/** Documents that are watched together. */
interface Source {
  readonly ids: readonly string[];
  state: LiveState<readonly Row[]> | undefined;
  close: () => void;
}

type Page = LiveState<Row | readonly Row[] | null>;

/**
 * A result whose rows carry the documents that they refer to (`expand`), each watched beside it. A state is told only where
 * all of it stands at one position: the documents that a change newly refers to are waited for.
 */
class Join {
  readonly takers = new Set<Taker>();
  told: LiveState<unknown> | undefined;
  readonly #options: JoinOptions;
  readonly #closePage: () => void;
  readonly #sources = new Map<string, Source[]>();
  readonly #joined = new WeakMap<Row, { readonly parts: readonly unknown[]; readonly row: Row }>();
  #page: Page | undefined;
  #references: Readonly<Record<string, string>> | undefined;
  #isAsking = false;
  #isClosed = false;
  #again: ReturnType<typeof setTimeout> | undefined;
  #error: ApiError | undefined;
  #rows: readonly Row[] = [];
  readonly #taker: Taker;

  constructor(options: JoinOptions) {
    this.#options = options;
    const combine = (told: Set<Taker>): void => this.#combine(told);
    this.#taker = { hold() {}, combine, tell() {} };
    const [kind, collection, first, { expand: _, ...shape }] = JSON.parse(options.watched.key);
    this.#closePage = options.open(JSON.stringify([kind, collection, first, shape]), {
      ...this.#taker,
      hold: (state) => {
        this.#page = state as Page;
      },
    });
    if (this.#page) options.wake(this.#taker);
  }

  close(): void {
    this.#isClosed = true;
    clearTimeout(this.#again);
    this.#closePage();
    for (const sources of this.#sources.values()) for (const { close } of sources) close();
    this.#sources.clear();
  }

  #combine(told: Set<Taker>): void {
    const state = this.#next();
    if (!state) return;
    this.told = state;
    for (const taker of this.takers) {
      taker.hold(state);
      told.add(taker);
    }
  }

  /** Undefined: nothing new, or not all of it is there. */
  #next(): LiveState<unknown> | undefined {
    const page = this.#page;
    if (!page) return undefined;
    const error = page.error ?? this.#error;
    const held = Array.isArray(page.data) ? page.data : page.data ? [page.data as Row] : [];
    const rows = error ? [] : this.#join(held, page);
    if (!rows) return undefined;
    const before = this.#rows;
    const kept = rows.length === before.length && rows.every((row, i) => row === before[i]) ? before : rows;
    const data = error || page.data === undefined ? undefined : Array.isArray(page.data) ? kept : (kept[0] ?? null);
    const sources = [...this.#sources.values()].flat();
    const state: LiveState<unknown> = {
      ...page,
      ...{ data, error, more: !error && page.more, changes: changesOf(before, kept) },
      synced: !error && page.synced && sources.every(({ state }) => !state || state.synced),
      pending: page.pending || sources.some(({ state }) => state?.pending),
    };
    this.#rows = kept;
    const { told } = this;
    const isAlike = told && told.synced === state.synced && told.pending === state.pending && told.more === state.more;
    return isAlike && told.data === data && told.error === error ? undefined : state;
  }

  #join(rows: readonly Row[], page: Page): readonly Row[] | undefined {
    const [first] = rows;
    if (!first) {
      this.#cover(new Map(), page);
      return rows;
    }
    const references = this.#references;
    if (!references) {
      void this.#ask(first._id);
      return undefined;
    }
    const paths = Object.entries(references).map(([path, collection]) => ({ path: path.split("."), collection }));
    const needed = new Map<string, Set<string>>();
    for (const { path, collection } of paths) {
      const ids = needed.get(collection) ?? new Set<string>();
      needed.set(collection, ids);
      for (const row of rows) for (const id of idsAt(row, path)) ids.add(id);
    }
    const included = this.#cover(needed, page);
    return (
      included &&
      rows.map((row) => {
        const parts = paths.flatMap(({ path, collection }) => idsAt(row, path).map((id) => included[collection]?.[id]));
        const known = this.#joined.get(row);
        if (known && known.parts.length === parts.length && parts.every((part, i) => part === known.parts[i])) {
          return known.row;
        }
        const joined = attach({ ...row }, { included, references });
        this.#joined.set(row, { parts, row: joined });
        return joined;
      })
    );
  }

  /** Watches what is needed, and ends what is not. @returns the documents; undefined while some are not in step */
  #cover(
    needed: ReadonlyMap<string, ReadonlySet<string>>,
    page: Page,
  ): Record<string, Record<string, Row>> | undefined {
    const included: Record<string, Record<string, Row>> = {};
    let isWhole = true;
    for (const collection of new Set([...this.#sources.keys(), ...needed.keys()])) {
      const left = new Set(needed.get(collection));
      // Of no prototype: an id may be "__proto__".
      const found: Record<string, Row> = Object.create(null);
      included[collection] = found;
      const sources = this.#sources.get(collection) ?? [];
      const kept: Source[] = [];
      const unasked = new Set(left);
      // The newest first: they name what is needed now.
      for (const source of sources.slice().reverse()) {
        for (const id of source.ids) unasked.delete(id);
        const { state } = source;
        const isThere = state && (!page.synced || state.synced || state.pending || state.error);
        if (!isThere) {
          kept.unshift(source);
          continue;
        }
        const mine = source.ids.filter((id) => left.delete(id));
        if (mine.length === 0) source.close();
        else kept.unshift(source);
        for (const row of state.data ?? []) if (mine.includes(row._id)) found[row._id] = row;
      }
      isWhole &&= left.size === 0;
      const all = needed.get(collection) ?? unasked;
      const isCrowded = kept.length > MOST_SOURCES && kept.every(({ state }) => state);
      const asked = [...(isCrowded ? all : unasked)];
      for (let i = 0; i < asked.length; i += MOST_IDS) kept.push(this.#watch(collection, asked.slice(i, i + MOST_IDS)));
      if (kept.length > 0) this.#sources.set(collection, kept);
      else this.#sources.delete(collection);
    }
    return isWhole ? included : undefined;
  }

  #watch(collection: string, ids: readonly string[]): Source {
    const source: Source = { ids, state: undefined, close() {} };
    source.close = this.#options.open(JSON.stringify(["ids", collection, ids, {}]), {
      ...this.#taker,
      hold: (state) => {
        source.state = state as LiveState<readonly Row[]>;
      },
    });
    // Known already, because somebody else watches the same.
    if (source.state) this.#options.wake(this.#taker);
    return source;
  }

  async #ask(id: string): Promise<void> {
    if (this.#isAsking) return;
    this.#isAsking = true;
    const { watched, wake, send } = this.#options;
    try {
      this.#references = await referencesOf(watched, id, send);
      wake(this.#taker);
    } catch (error) {
      if (this.#isClosed) return;
      // A document that is not stored yet, or no longer: the page is about to say so.
      const isGone = (error as ApiError).code === "not_found";
      if (isGone || (error as ApiError).retryable) this.#again = setTimeout(() => wake(this.#taker), AGAIN);
      else {
        this.#error = error as ApiError;
        wake(this.#taker);
      }
    } finally {
      this.#isAsking = false;
    }
  }
}

/** Ids that a document refers to at a path. */
function idsAt(row: Row, path: readonly string[]): string[] {
  const found = follow(row, path);
  return (Array.isArray(found) ? found : [found]).filter((id): id is string => typeof id === "string");
}

/** Which collection each path refers to, as an answer over HTTP tells it. @param id of a document that the result shows */
async function referencesOf(
  { collection, shape, shows }: Watched,
  id: string,
  send: Http["send"],
): Promise<Readonly<Record<string, string>>> {
  const expand = encodeURIComponent((shape.expand ?? []).join(","));
  const path = shows === "list" ? `?limit=1&expand=${expand}` : `/${encodeURIComponent(id)}?expand=${expand}`;
  const answer = await send({ method: "GET", path: `documents/${encodeURIComponent(collection)}${path}` });
  return (answer as { readonly references?: Readonly<Record<string, string>> }).references ?? {};
}
