import { Faults, GalleyError } from "#protocol/errors";
import { freezeValue } from "#protocol/freeze";
import type { Value } from "#protocol/values";
import { Recent } from "../recent.ts";
import { checkShape } from "./json-shape.ts";
import type { Schema } from "./schema.ts";

/** URL parameters as their table row read them. */
export interface Parameters {
  readonly filter?: unknown;
  readonly sort?: readonly string[];
  readonly select?: readonly string[];
  readonly expand?: readonly string[];
  readonly limit?: number | string;
  readonly after?: string;
  readonly types?: string;
  readonly upsert?: string;
  readonly q?: string;
  readonly user?: string;
  readonly action?: string;
}
export type ParameterName = keyof Parameters;

interface Parameter {
  readonly schema: Schema;
  readonly description: string;
  /** JSON text in one parameter, and lists with commas, are what OpenAPI calls `content` and `explode: false`. */
  readonly form?: "json" | "list";
  read(text: string, faults: Faults): unknown;
}

/** Texts of one parameter that are remembered, each generation, and the longest of them. */
const REMEMBERED = 1000;
const REMEMBERED_CHARACTERS = 1000;

/** Every URL parameter of the API, a row each: one name means one thing on all routes. */
export const PARAMETERS: Readonly<Record<ParameterName, Parameter>> = {
  filter: {
    schema: { type: "object" },
    description: "A filter of the query language, as JSON.",
    form: "json",
    read: remembered(readJson),
  },
  sort: list("Paths, `-` in front for descending; `_id` is appended."),
  select: list("Paths to include; `_id` and `_v` always are."),
  expand: list("Declared references whose documents come along in `included`."),
  limit: {
    schema: { type: "integer", minimum: 1, maximum: 1000 },
    description: "At most this many documents; 50 by default.",
    // What is not a number goes on as text, for the service to refuse in the words it has for a body.
    read: (text) => (/^-?(?:0|[1-9][0-9]{0,14})(?:\.[0-9]{1,15})?$/.test(text) ? Number(text) : text),
  },
  after: {
    schema: { type: "string" },
    description: "The `next` of the page before.",
    read: (text) => text,
  },
  types: {
    schema: { type: "string", enum: ["plain"] },
    description: "`plain`: dates as ISO strings, int64 as digits, binary as base64, in place of tagged values.",
    read: oneOf("types", ["plain"]),
  },
  upsert: {
    schema: { type: "string", enum: ["true", "false"] },
    description: "`true`: creates the document if it is missing.",
    read: oneOf("upsert", ["true", "false"]),
  },
  q: text("An id, or how an address begins."),
  user: text("Only lines about this person."),
  action: text("Only lines of this action."),
};

function text(description: string): Parameter {
  return { schema: { type: "string" }, description, read: (given) => given };
}

const NONE: Parameters = Object.freeze({});

/** What whole queries were read to, for which route. Those with a cursor do not come again, but what stands around it does. */
const recent = new Recent<string, { readonly allowed: readonly ParameterName[]; readonly found: Parameters }>(
  REMEMBERED,
);

/** A cursor is of characters that nobody encodes. */
const CURSOR = /(?:^|&)after=([\w.-]+)(?=&|$)/;

/**
 * Reads the parameters of a URL: each decoded once, known to the route and given once.
 * @throws GalleyError `invalid_argument` with every fault
 */
export function readParameters(url: string, allowed: readonly ParameterName[]): Parameters {
  // Routers cut a path at "#", but no client may send one: RFC 9112, 3.2.
  if (url.includes("#")) throw new GalleyError("invalid_argument", "the path is not valid: # must be sent as %23");
  const start = url.indexOf("?");
  if (start === -1 || start === url.length - 1) return NONE;
  const query = url.slice(start + 1);
  const cursor = allowed.includes("after") ? CURSOR.exec(query) : null;
  const rest = cursor ? query.slice(0, cursor.index) + query.slice(cursor.index + cursor[0].length) : query;
  if (rest.length > REMEMBERED_CHARACTERS) return readQuery(query, allowed);
  const known = recent.get(rest);
  if (known?.allowed === allowed) return cursor ? Object.freeze({ ...known.found, after: cursor[1] }) : known.found;
  const found = readQuery(query, allowed);
  const { after, ...others } = found;
  if (after === undefined) recent.set(query, { allowed, found });
  else if (cursor) recent.set(rest, { allowed, found: Object.freeze(others) });
  return found;
}

function readQuery(query: string, allowed: readonly ParameterName[]): Parameters {
  const faults = new Faults();
  const found: Record<string, unknown> = {};
  for (const pair of query.split("&")) {
    if (pair === "") continue;
    const equals = pair.indexOf("=");
    const name = decode(equals === -1 ? pair : pair.slice(0, equals));
    const text = equals === -1 ? "" : decode(pair.slice(equals + 1));
    const known = allowed.find((parameter) => parameter === name);
    if (name === undefined || text === undefined) {
      faults.add((name ?? "url").slice(0, 60), "bad_value", "expects percent-encoded UTF-8");
    } else if (known === undefined) {
      const others = allowed.length === 0 ? "none is" : `known are ${allowed.join(", ")}`;
      faults.add(name.slice(0, 60) || "url", "unknown_member", `is not a parameter of this route; ${others}`);
    } else if (Object.hasOwn(found, known)) {
      faults.add(known, "bad_value", "is given twice");
    } else {
      found[known] = PARAMETERS[known].read(text, faults);
    }
  }
  faults.throwIfAny();
  return Object.freeze(found);
}

function decode(text: string): string | undefined {
  try {
    return decodeURIComponent(text.includes("+") ? text.replaceAll("+", " ") : text);
  } catch {
    return undefined;
  }
}

function readJson(text: string, faults: Faults): unknown {
  try {
    checkShape(Buffer.from(text), "filter");
    return freezeValue(JSON.parse(text) as Value);
  } catch {
    faults.add("filter", "bad_value", "expects a filter as JSON text");
    return undefined;
  }
}

/**
 * A reader that gives the same frozen value for the same text. An app asks few questions and asks them often, so those
 * behind recognise a question by identity and parse and plan it once.
 */
function remembered(read: Parameter["read"]): Parameter["read"] {
  const recent = new Recent<string, unknown>(REMEMBERED);
  return (text, faults) => {
    const known = recent.get(text);
    if (known !== undefined) return known;
    const value = read(text, faults);
    if (value !== undefined && text.length <= REMEMBERED_CHARACTERS) recent.set(text, value);
    return value;
  };
}

function list(description: string): Parameter {
  return {
    schema: { type: "array", items: { type: "string" } },
    description,
    form: "list",
    read: remembered((text) => Object.freeze(text.split(","))),
  };
}

function oneOf(name: string, values: readonly string[]): Parameter["read"] {
  return (text, faults) => {
    if (!values.includes(text)) faults.add(name, "bad_value", `expects ${values.join(" or ")}`);
    return text;
  };
}
