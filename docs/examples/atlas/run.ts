/**
 * Declares the collections and asks every question, on a running Galley that holds the imported documents:
 * `GALLEY_SERVICE_KEY=gsk_… npx tsx docs/examples/atlas/run.ts [url]`.
 */
import { createClient } from "@galley/sdk";
import type { Schema } from "./galley.d.ts";
import { QUESTIONS } from "./questions.ts";

const url = process.argv[2] ?? "http://127.0.0.1:4600";
const serviceKey = process.env.GALLEY_SERVICE_KEY;
if (!serviceKey) throw new Error("set GALLEY_SERVICE_KEY; `npm run galley -- keys create atlas` makes a key");

const db = createClient<Schema>({ url, serviceKey });
for (const { title, ask } of QUESTIONS) {
  const started = performance.now();
  const answer = JSON.stringify(await ask(db));
  const text = answer.length > 100 ? `${answer.slice(0, 100)}…` : answer;
  console.log(`${title}\n  ${text}  (${(performance.now() - started).toFixed(1)} ms)`);
}
db.close();
