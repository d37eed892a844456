import { setTimeout as wait } from "node:timers/promises";
import { request } from "undici";
import { startApp } from "../app.ts";
import type { Engine } from "../engines.ts";
import type { Teardown } from "../teardown.ts";
import { followStore } from "./commit-log.ts";
import { CHECKED_LIMITS, CHECKED_LOAD } from "./limits.ts";
import { type Send, setUp } from "./load.ts";
import type { Checked } from "./run.ts";

const BACK_OFF_MS = 50;

/** A Galley in this process, checked by the tail of its own store. */
export async function checkedApp(t: Teardown, engine: Engine): Promise<Checked> {
  const app = await startApp({ engine, live: CHECKED_LIMITS, load: CHECKED_LOAD });
  t.teardown(() => app.close());
  const log = followStore(app.app.store);
  const send = sender(() => app.url, app.key);
  await setUp(send);
  return { urls: () => [app.url], key: app.key, log, send };
}

/** Sends over HTTP to wherever a server is now. Guests sign in as nobody. */
export function sender(url: () => string, key: string): Send {
  return async (method, path, body) => {
    const isOpen = path.startsWith("/v1/auth/");
    try {
      const reply = await request(url() + path, {
        method: method as "GET",
        headers: {
          ...(isOpen ? {} : { authorization: `Bearer ${key}` }),
          ...(body === undefined ? {} : { "content-type": "application/json" }),
        },
        ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      });
      const text = await reply.body.text();
      // As a polite client does.
      if (reply.statusCode === 503) await wait(BACK_OFF_MS);
      return { status: reply.statusCode, body: text === "" ? undefined : JSON.parse(text) };
    } catch {
      await wait(BACK_OFF_MS);
      return undefined;
    }
  };
}
