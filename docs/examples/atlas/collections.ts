import { readFileSync } from "node:fs";

const read = (name: string): unknown => JSON.parse(readFileSync(new URL(`./${name}`, import.meta.url), "utf8"));

/** How the two collections are declared: what `POST /v1/admin/collections` takes. */
export const COLLECTIONS = [
  {
    name: "countries",
    schema: read("countries.schema.json"),
    indexes: [{ paths: ["borders"] }, { paths: ["region", "-area"] }, { paths: ["currencies.code"] }],
  },
  {
    name: "cities",
    schema: read("cities.schema.json"),
    indexes: [{ paths: ["country", "name"] }, { paths: ["lat"] }, { paths: ["visitors"] }],
  },
];
