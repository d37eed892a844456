import { createReadStream, statSync } from "node:fs";
import { extname } from "node:path";
import { createInterface } from "node:readline";
import { Readable } from "node:stream";
import { type Call, type Command, CommandError, needed, type Output } from "./command.ts";
import { jsonElements } from "./json-elements.ts";
import { breakReason, errorMessage, type Reach, reach, readText } from "./reach.ts";

/** One line of the server's answer: what became of one row. */
interface Verdict {
  readonly line: number;
  readonly id?: string;
  readonly status: "created" | "updated" | "unchanged" | "refused";
  readonly faults?: readonly { message: string }[];
  readonly error?: { message: string };
}

const SHOWN_REFUSALS = 20;

export const command: Command = {
  usage: "import <collection> <file.json|ndjson|csv> [--plain]",
  help: `Loads documents into a collection, each under its _id (made if absent). Rows equal to what is stored change nothing,
so a repeat is harmless. A refused row is reported with its line and fault; the rest goes on. Exits 1 if any was refused.

  --plain   read ISO dates and digit strings as the dates and int64 that the schema declares`,
  positionals: 2,
  options: { plain: { type: "boolean" } },
  async run(call) {
    const collection = needed(call, 0, "collection");
    const file = needed(call, 1, "file");
    const size = sizeOf(file);
    const galley = await reach(call);
    try {
      const progress = new Progress(call, size);
      const rows = await ndjsonOf(file, progress, galley, collection);
      const path = `/v1/admin/collections/${encodeURIComponent(collection)}/import${call.values.plain ? "?types=plain" : ""}`;
      const reply = await galley.send({ method: "POST", path, body: rows, type: "application/x-ndjson" });
      if (reply.status !== 200) throw new CommandError(errorMessage(await readText(reply.body), reply.status));
      const counts = await readVerdicts(reply.body, call, progress);
      progress.end();
      report(call, collection, counts);
    } catch (error) {
      if (error instanceof CommandError) throw error;
      throw new CommandError(`${file}: ${breakReason(error)}`);
    } finally {
      await galley.close();
    }
  },
};

function sizeOf(file: string): number {
  try {
    return statSync(file).size;
  } catch (error) {
    throw new CommandError(`cannot read ${file}: ${(error as NodeJS.ErrnoException).code ?? (error as Error).message}`);
  }
}

/** The file as NDJSON bytes, by its extension. */
async function ndjsonOf(
  file: string,
  progress: Progress,
  galley: Reach,
  collection: string,
): Promise<AsyncIterable<Uint8Array>> {
  const bytes = () => counted(createReadStream(file, { highWaterMark: 256 * 1024 }), progress);
  switch (extname(file).toLowerCase()) {
    case ".json":
      return lines(jsonElements(bytes()));
    case ".csv": {
      const { csvRows } = await import("./csv-rows.ts");
      return lines(csvRows(Readable.from(bytes()), await schemaOf(galley, collection)));
    }
    case ".ndjson":
    case ".jsonl":
      return bytes();
    default:
      throw new CommandError(`${file}: expects a file that ends in .json, .ndjson, .jsonl or .csv`);
  }
}

async function* counted(input: AsyncIterable<Buffer>, progress: Progress): AsyncGenerator<Uint8Array> {
  for await (const chunk of input) {
    progress.read(chunk.length);
    yield chunk;
  }
}

async function schemaOf(galley: Reach, collection: string): Promise<unknown> {
  const path = `/v1/admin/collections/${encodeURIComponent(collection)}`;
  const reply = await galley.send({ method: "GET", path });
  const text = await readText(reply.body);
  if (reply.status === 404) return undefined;
  if (reply.status !== 200) throw new CommandError(errorMessage(text, reply.status));
  return (JSON.parse(text) as { schema?: unknown }).schema;
}

/** Joins documents' texts to NDJSON, in chunks of some size: a write per row would cost more than the row. */
async function* lines(texts: AsyncIterable<string | Uint8Array>): AsyncGenerator<Uint8Array> {
  let held = "";
  for await (const text of texts) {
    // A raw line break in JSON text stands between tokens, never inside a string, so a space says the same.
    held += `${text.toString().replace(/[\r\n]+/g, " ")}\n`;
    if (held.length < 64 * 1024) continue;
    yield Buffer.from(held);
    held = "";
  }
  if (held !== "") yield Buffer.from(held);
}

interface Counts {
  created: number;
  updated: number;
  unchanged: number;
  refused: number;
  refusals: Verdict[];
}

async function readVerdicts(body: Readable, call: Call, progress: Progress): Promise<Counts> {
  const counts: Counts = { created: 0, updated: 0, unchanged: 0, refused: 0, refusals: [] };
  for await (const line of createInterface({ input: body, crlfDelay: Infinity })) {
    const verdict = JSON.parse(line) as Verdict;
    if (verdict.status === undefined) throw new CommandError(`the import broke off: ${verdict.error?.message ?? line}`);
    counts[verdict.status]++;
    progress.row();
    if (verdict.status !== "refused") continue;
    if (call.json) call.print(line);
    else if (counts.refusals.length < SHOWN_REFUSALS) counts.refusals.push(verdict);
  }
  return counts;
}

function report(call: Call, collection: string, { refusals, ...counts }: Counts): void {
  if (call.json) call.print(JSON.stringify(counts));
  else {
    for (const { line, id, faults } of refusals) {
      call.print(
        `line ${line}${id === undefined ? "" : ` (${id})`}: ${(faults ?? []).map(({ message }) => told(message, line)).join("; ")}`,
      );
    }
    if (counts.refused > refusals.length) call.print(`… and ${counts.refused - refusals.length} more`);
    const { created, updated, unchanged, refused } = counts;
    call.print(`${collection}: ${created} created, ${updated} updated, ${unchanged} unchanged, ${refused} refused`);
  }
  if (counts.refused > 0) {
    throw new CommandError(counts.refused === 1 ? "1 row was refused" : `${counts.refused} rows were refused`);
  }
}

/** A fault of the whole line says so itself, which stands at the start of the report's line already. */
function told(message: string, line: number): string {
  const prefix = `line ${line}: `;
  return message.startsWith(prefix) ? message.slice(prefix.length) : message;
}

/** A progress bar on a terminal, redrawn at most ten times a second; nothing elsewhere. */
class Progress {
  readonly #screen: Output["stderr"];
  readonly #shown: boolean;
  readonly #total: number;
  #bytes = 0;
  #rows = 0;
  #drawn = 0;

  constructor(call: Call, total: number) {
    this.#screen = call.output.stderr;
    this.#shown = this.#screen.isTTY === true && !call.json;
    this.#total = total;
  }

  read(bytes: number): void {
    this.#bytes += bytes;
  }

  row(): void {
    this.#rows++;
    if (!this.#shown || Date.now() - this.#drawn < 100) return;
    this.#drawn = Date.now();
    const share = this.#total === 0 ? 1 : Math.min(1, this.#bytes / this.#total);
    const filled = Math.round(share * 30);
    this.#screen.write(`\r[${"#".repeat(filled)}${" ".repeat(30 - filled)}] ${this.#rows} rows`);
  }

  end(): void {
    if (this.#shown) this.#screen.write(`\r${" ".repeat(60)}\r`);
  }
}
