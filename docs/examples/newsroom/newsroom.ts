import { readFileSync } from "node:fs";
import type { Json } from "@galley/sdk";
import { COLLECTIONS } from "./collections.ts";
import { asAdmin, gather } from "./people.ts";
import { STEPS, take } from "./steps.ts";

export interface Example {
  /** A running Galley, without other collections of these names. */
  readonly url: string;
  /** A key that may do everything. */
  readonly serviceKey: string;
  /** Told of each step and how it ended, in words. */
  readonly log: (line: string) => void;
}

/** Declares the collections, publishes the rules with their tests, and goes through a day. */
export async function runNewsroom({ url, serviceKey, log }: Example): Promise<void> {
  const { admin, close } = asAdmin(url, serviceKey);
  try {
    for (const collection of COLLECTIONS) await declare(url, serviceKey, collection);
    const { version } = await admin.rules.current();
    await admin.rules.publish({ ...RULES, ifVersion: version, note: "the newsroom" });
    const people = await gather(url, admin);
    try {
      for (const step of STEPS) log(await take(step, people));
    } finally {
      people.close();
    }
  } finally {
    close();
  }
}

/** What `galley rules push` sends: the two files that stand in the app's repository. */
export const RULES = { rules: read("rules.json"), tests: read("rules.tests.json") };

function read(name: string): Json {
  return JSON.parse(readFileSync(new URL(`./${name}`, import.meta.url), "utf8"));
}

async function declare(url: string, key: string, collection: object): Promise<void> {
  const answer = await fetch(`${url}/v1/admin/collections`, {
    method: "POST",
    headers: { authorization: `Bearer ${key}`, "content-type": "application/json" },
    body: JSON.stringify(collection),
  });
  if (!answer.ok) throw new Error(await answer.text());
}
