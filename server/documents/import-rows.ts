import { parseDate } from "#protocol/dates";
import { describe } from "#protocol/describe";
import { type Fault, type FaultCode, Faults, type GalleyError } from "#protocol/errors";
import { ID_RANDOM_BYTES, idFault, newId } from "#protocol/id";
import { isObjectValue, type ObjectValue } from "#protocol/values";
import type { DocumentStore } from "../stores/document-store.ts";
import type { Definitions } from "./definitions.ts";
import { readDocument } from "./images.ts";
import type { Line } from "./import-lines.ts";
import { PlainReader } from "./plain.ts";
import { OPEN_PLACES } from "./schema/schema.ts";

export interface ImportOptions {
  readonly store: DocumentStore;
  readonly definitions: Definitions;
  readonly clock: () => number;
  readonly random: (bytes: number) => Uint8Array;
}

/** Where the rows go, and how their values are written. */
export interface ImportTarget {
  readonly collection: string;
  readonly plain: boolean;
  /** Called before each commit: it may be minutes since the import began. @throws GalleyError once it is not allowed any more */
  readonly stillAllowed: () => Promise<void>;
}

/** What became of one line. */
export type Verdict =
  | { readonly line: number; readonly id: string; readonly status: "created" | "updated" | "unchanged" }
  | { readonly line: number; readonly id?: string; readonly status: "refused"; readonly faults: readonly Fault[] };

/** A line that may be stored. */
export interface ImportRow {
  readonly line: number;
  readonly id: string;
  readonly fields: ObjectValue;
  readonly createdAt: Date | undefined;
}

/** Reads a line as a document; a faulty one is refused here already. */
export function parseRow(line: Line, target: ImportTarget, options: ImportOptions): ImportRow | Verdict {
  const { number } = line;
  if ("fault" in line) return refuseLine(number, line.fault.code, line.fault.message);
  let body: unknown;
  try {
    body = JSON.parse(line.text);
  } catch {
    return refuseLine(number, "bad_value", "expects a JSON object, got text that is not JSON");
  }
  if (!isObjectValue(body)) return refuseLine(number, "bad_value", `expects a JSON object, got ${describe(body)}`);
  const named = idFault(body._id) === undefined ? { id: body._id as string } : {};
  const faults = new Faults();
  const { id, fields, createdAt } = readDocument(
    target.plain ? fromPlain(body, target, options) : body,
    "document",
    faults,
  );
  if (faults.any) return { line: number, ...named, status: "refused", faults: faults.list };
  const made = id ?? newId(options.clock(), options.random(ID_RANDOM_BYTES));
  return { line: number, id: made, fields, createdAt };
}

/** The verdict on a row that an error of a write refuses. */
export function refusal(line: number, error: GalleyError, id: string): Verdict {
  const { faults } = error.details;
  if (faults) return { line, id, status: "refused", faults };
  const code: FaultCode = error.code === "payload_too_large" ? "too_long" : "bad_value";
  return { line, id, status: "refused", faults: [{ path: "document", code, message: `document: ${error.message}` }] };
}

function fromPlain(body: ObjectValue, target: ImportTarget, { definitions }: ImportOptions): unknown {
  const places = definitions.get(target.collection)?.schema?.places ?? OPEN_PLACES;
  const read = new PlainReader(places).document(body) as object;
  const created = body._createdAt;
  return typeof created === "string" && parseDate(created) ? { ...read, _createdAt: { $date: created } } : read;
}

function refuseLine(line: number, code: FaultCode, message: string): Verdict {
  return { line, status: "refused", faults: [{ path: "line", code, message: `line ${line}: ${message}` }] };
}
