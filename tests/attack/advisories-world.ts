import type { Answer, TestApp } from "../support/app.ts";
import type { People } from "../support/people.ts";

/** What the guards against published advisories stand in: an app that believes this machine's `X-Forwarded-For`. */
export interface World {
  readonly app: TestApp;
  readonly people: People;
  /** The app's clock. */
  readonly time: { now: number };
}

export async function statusOf(answer: Promise<Answer>): Promise<number> {
  return (await answer).status;
}

/** Everything of an answer but what differs between any two. */
export function bare({ status, headers, json }: Answer) {
  return {
    status,
    headers: Object.keys(headers).sort(),
    error: json?.error && { ...json.error, requestId: "" },
  };
}
