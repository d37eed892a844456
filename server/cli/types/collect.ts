import { type Document, parseText, type Value } from "#protocol/values";
import type { SchemaObject } from "../../documents/schema/walk.ts";
import { CommandError } from "../command.ts";
import { breakReason, errorMessage, type Reach, readText } from "../reach.ts";
import type { Known } from "./file.ts";
import { Seen } from "./seen.ts";

interface Info {
  readonly name: string;
  readonly version: number;
  readonly schema?: SchemaObject;
  readonly documents: number;
  readonly bytes: number;
}

/** What the server tells of its collections, and what the key may not know, in words. */
export interface Collected {
  readonly collections: readonly Known[];
  readonly notes: readonly string[];
}

/** An answer of the server, but none that was wanted. */
export class Refused extends CommandError {
  /** Whether to ask again will bring the same. */
  readonly isFinal: boolean;

  constructor(text: string, status: number) {
    super(errorMessage(text, status));
    this.isFinal = status < 500 && status !== 429;
  }
}

/** Documents that a collection without a schema is judged by: the first and the last of them, by their ids. */
const LOOKED_AT = 1000;
/** Documents that are asked for at once; half as many where a reply would be too large. */
const PAGE = 250;

/** Asks a server for its collections. What documents tell is asked for again only where they have changed. */
export class Collector {
  readonly #remembered = new Map<string, { readonly state: string; readonly by: Known["by"] }>();

  /** @throws CommandError if the key may not read what collections there are */
  async collect(galley: Reach): Promise<Collected> {
    const { collections } = JSON.parse(await answered(galley, "/v1/admin/collections")) as { collections: Info[] };
    const filled = await filledByRules(galley);
    const known: Known[] = [];
    for (const info of collections) {
      const by = info.schema ? { schema: info.schema } : await this.#looked(galley, info);
      known.push({ name: info.name, by, filled: filled?.get(info.name) ?? [] });
    }
    const lack = "Defaults of access rules are not in here: the key has no scope admin:rules:read.";
    return { collections: known, notes: filled ? [] : [lack] };
  }

  async #looked(galley: Reach, info: Info): Promise<Known["by"]> {
    const state = `${info.version} ${info.documents} ${info.bytes}`;
    const remembered = this.#remembered.get(info.name);
    if (remembered?.state === state) return remembered.by;
    const by = await look(galley, info);
    this.#remembered.set(info.name, { state, by });
    return by;
  }
}

async function look(galley: Reach, { name, documents }: Info): Promise<Known["by"]> {
  const seen = new Seen();
  const ids = new Set<string>();
  const ends = documents > LOOKED_AT ? (["_id", "-_id"] as const) : (["_id"] as const);
  for (const sort of ends) {
    for await (const found of pages(galley, name, sort, LOOKED_AT / ends.length)) {
      if (found === "hidden") {
        return { reason: `Any: it has no schema, and the key has no scope documents:${name}:list to infer one by.` };
      }
      for (const document of found) {
        if (ids.has(document._id)) continue;
        ids.add(document._id);
        seen.add(Object.fromEntries(Object.entries(document).filter(([field]) => !field.startsWith("_"))));
      }
    }
  }
  return ids.size === 0 ? { reason: "Any: it has no schema, and no document yet." } : { seen, documents: ids.size };
}

/** The first documents in an order, page by page. `hidden`: the key may not list them. */
async function* pages(
  galley: Reach,
  name: string,
  sort: string,
  count: number,
): AsyncGenerator<readonly Document[] | "hidden"> {
  let [left, size, after] = [count, PAGE, ""];
  while (left > 0) {
    const query = `sort=${sort}&limit=${Math.min(size, left)}${after === "" ? "" : `&after=${encodeURIComponent(after)}`}`;
    const { status, text } = await ask(galley, `/v1/documents/${name}?${query}`);
    if (status === 413 && size > 1) {
      size = Math.ceil(size / 2);
      continue;
    }
    if (status === 403) yield "hidden";
    // Dropped meanwhile.
    if (status === 403 || status === 404) return;
    if (status !== 200) throw new Refused(text, status);
    const page = parseText(text) as unknown as { documents: readonly Document[]; next?: string };
    yield page.documents;
    if (page.next === undefined) return;
    left -= page.documents.length;
    after = page.next;
  }
}

/** Paths that access rules fill in on create, by collection; undefined: the key may not read rules. */
async function filledByRules(galley: Reach): Promise<Map<string, string[]> | undefined> {
  const { status, text } = await ask(galley, "/v1/admin/rules");
  if (status === 403) return undefined;
  if (status !== 200) throw new Refused(text, status);
  type Fields = Readonly<Record<string, { readonly default?: Value }>>;
  const { rules } = JSON.parse(text) as {
    rules: { collections?: Readonly<Record<string, { readonly fields?: Fields }>> } | null;
  };
  const filled = new Map<string, string[]>();
  for (const [name, { fields = {} }] of Object.entries(rules?.collections ?? {})) {
    const paths = Object.entries(fields).filter(([, field]) => field.default !== undefined);
    filled.set(
      name,
      paths.map(([path]) => path),
    );
  }
  return filled;
}

async function answered(galley: Reach, path: string): Promise<string> {
  const { status, text } = await ask(galley, path);
  if (status !== 200) throw new Refused(text, status);
  return text;
}

async function ask(galley: Reach, path: string): Promise<{ status: number; text: string }> {
  const { status, body } = await galley.send({ method: "GET", path });
  try {
    return { status, text: await readText(body) };
  } catch (error) {
    throw new CommandError(`the answer broke off: ${breakReason(error)}`);
  }
}
