/**
 * Shows the board of the world as three writers change it, on a running Galley that holds the imported documents:
 * `GALLEY_SERVICE_KEY=gsk_… npx tsx docs/examples/atlas/watch-leaderboard.ts [url]`.
 */
import { createClient } from "@galley/sdk";
import { WebSocket } from "ws";
import type { Schema } from "./galley.d.ts";
import { playedOf, roundsOf, watchBoards, write } from "./leaderboard.ts";
import { cityDocument, sourceCities } from "./source.ts";

const url = process.argv[2] ?? "http://127.0.0.1:4600";
const serviceKey = process.env.GALLEY_SERVICE_KEY;
if (!serviceKey) throw new Error("set GALLEY_SERVICE_KEY; `npm run galley -- keys create atlas` makes a key");

// Node 20 has no WebSocket of its own.
const options = { url, serviceKey, WebSocket: WebSocket as unknown as typeof globalThis.WebSocket };
const db = createClient<Schema>(options);
const cities = sourceCities().map(cityDocument);
let states = 0;
const boards = watchBoards(db, () => states++);
await boards.ready;
for (const round of roundsOf(cities, 20)) await Promise.all(round.map((visits) => write(db, visits)));
console.log(`${states} states of the board, the last one:\n  ${boards.names().join("\n  ")}`);
boards.close();
for (const { _id } of playedOf(cities)) await db.collection("cities").update(_id, { $unset: ["visitors"] });
db.close();
