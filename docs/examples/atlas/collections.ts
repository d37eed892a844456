import { readFileSync } from "node:fs";

const schema: unknown = JSON.parse(readFileSync(new URL("./cities.schema.json", import.meta.url), "utf8"));

/** How the two collections are declared: what `POST /v1/admin/collections` takes. */
export const COLLECTIONS = [
  {
    name: "countries",
    indexes: [{ paths: ["borders"] }, { paths: ["region", "-area"] }, { paths: ["currencies.code"] }],
  },
  { name: "cities", schema, indexes: [{ paths: ["country", "name"] }, { paths: ["lat"] }, { paths: ["visitors"] }] },
];
