/** Writes countries.ndjson and cities.ndjson into a folder: `npx tsx docs/examples/atlas/convert.ts [folder]`. */
import { createWriteStream, mkdirSync } from "node:fs";
import { join } from "node:path";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { cityDocument, countryDocument, sourceCities, sourceCountries } from "./source.ts";

export async function convert(folder: string): Promise<void> {
  mkdirSync(folder, { recursive: true });
  await write(join(folder, "countries.ndjson"), sourceCountries().map(countryDocument));
  await write(join(folder, "cities.ndjson"), sourceCities().map(cityDocument));
}

async function write(file: string, documents: readonly object[]): Promise<void> {
  function* lines(): Generator<string> {
    for (const document of documents) yield `${JSON.stringify(document)}\n`;
  }
  await pipeline(Readable.from(lines()), createWriteStream(file));
}

if (process.argv[1]?.endsWith("convert.ts")) {
  const folder = process.argv[2] ?? "atlas";
  await convert(folder);
  console.log(`Wrote ${join(folder, "countries.ndjson")} and ${join(folder, "cities.ndjson")}.`);
}
