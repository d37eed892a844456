import type { Readable } from "node:stream";
import { parse } from "csv-parse";

/** What a cell of one column becomes; without a schema it stays text (http-api.md "Collections" 4). */
type Convert = (cell: string) => unknown;

/**
 * Reads CSV with a header line as documents' JSON texts. A header with dots makes nested objects; an empty cell is
 * absent; a cell is converted only where the collection's schema declares a class for its path.
 */
export async function* csvRows(input: Readable, schema: unknown): AsyncGenerator<string> {
  const parser = input.pipe(parse({ bom: true, relax_column_count: false, skip_empty_lines: true }));
  input.on("error", (error) => parser.destroy(error));
  let columns: { path: string[]; convert: Convert }[] | undefined;
  for await (const cells of parser as AsyncIterable<string[]>) {
    if (!columns) {
      const names = cells.map((name) => name.trim());
      const twice = names.find((name, i) => names.indexOf(name) !== i);
      if (twice !== undefined) throw new Error(`the header has the column ${JSON.stringify(twice)} twice`);
      columns = names.map((name) => column(name, schema));
      continue;
    }
    const document: Record<string, unknown> = {};
    columns.forEach(({ path, convert }, i) => {
      const cell = cells[i];
      if (cell !== undefined && cell !== "") put(document, path, convert(cell));
    });
    yield JSON.stringify(document);
  }
}

function column(name: string, schema: unknown): { path: string[]; convert: Convert } {
  const path = name.split(".");
  if (path.some((key) => key === "" || key === "__proto__" || key === "constructor" || key === "prototype")) {
    throw new Error(`the header has a column ${JSON.stringify(name)}, which cannot be a field's name`);
  }
  return { path, convert: conversion(path.reduce(property, schema)) };
}

function property(schema: unknown, key: string): unknown {
  const properties = (schema as { properties?: Record<string, unknown> } | undefined)?.properties;
  return properties && Object.hasOwn(properties, key) ? properties[key] : undefined;
}

function conversion(schema: unknown): Convert {
  const declared = (schema ?? {}) as { type?: unknown; date?: unknown; int64?: unknown };
  if (declared.date === true) return (cell) => ({ $date: cell });
  if (declared.int64 === true) return (cell) => ({ $numberLong: cell });
  // What does not read as the declared class goes on as text: the server's schema names the row and the fault.
  if (declared.type === "number" || declared.type === "integer") {
    return (cell) => (/^\s*-?\d+(\.\d+)?([eE][+-]?\d+)?\s*$/.test(cell) ? Number(cell) : cell);
  }
  if (declared.type === "boolean") return (cell) => (cell === "true" ? true : cell === "false" ? false : cell);
  return (cell) => cell;
}

function put(document: Record<string, unknown>, path: readonly string[], value: unknown): void {
  let object = document;
  for (const key of path.slice(0, -1)) {
    const next = Object.hasOwn(object, key) ? object[key] : {};
    if (typeof next !== "object" || next === null) throw new Error(`columns clash at ${path.join(".")}`);
    object[key] = next;
    object = next as Record<string, unknown>;
  }
  object[path.at(-1) as string] = value;
}
