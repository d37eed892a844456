/** Declares the collections of galley/collections.json on a running Galley, and puts galley/rules.json in force. */
import { readFileSync } from "node:fs";
import { createClient } from "@galley/sdk";
import { admin } from "@galley/sdk/admin";

const { GALLEY_URL: url = "http://127.0.0.1:4600", GALLEY_SERVICE_KEY: serviceKey } = process.env;
if (!serviceKey) throw new Error("set GALLEY_SERVICE_KEY; `galley keys create setup` makes a key");

for (const { name, schema, indexes } of read("collections.json")) {
  const made = await call("POST", "", { name, schema, indexes });
  if (made.status === 409) await call("PATCH", `/${name}`, { schema, indexes });
}
const { rules } = admin(createClient({ url, serviceKey }));
const { version } = await rules.current();
await rules.publish({
  rules: read("rules.json"),
  tests: read("rules.tests.json"),
  ifVersion: version,
  note: "the chat",
});
console.log(`The chat's collections and rules are on ${url}.`);

function read(name) {
  return JSON.parse(readFileSync(new URL(`galley/${name}`, import.meta.url), "utf8"));
}

async function call(method, path, body) {
  const answer = await fetch(`${url}/v1/admin/collections${path}`, {
    method,
    headers: { authorization: `Bearer ${serviceKey}`, "content-type": "application/json" },
    body: JSON.stringify(body),
  });
  if (!answer.ok && answer.status !== 409) throw new Error(await answer.text());
  return answer;
}
