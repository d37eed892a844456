/** Galley as one or two processes of its own on one store, over HTTP. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { mailsIn, type ReceivedMail } from "./mailbox.ts";
import { PROCESS_KEY, type ServerProcess, startGalley } from "./server-process.ts";
import type { Teardown } from "./teardown.ts";
import { until } from "./until.ts";

// Tests look into answers by path; what is not there fails their assertion.
// biome-ignore lint/suspicious/noExplicitAny: see above
type Json = any;

export interface Answered {
  readonly status: number;
  readonly text: string;
  readonly json: Json;
}

/** One process. */
export interface Galley {
  readonly url: string;
  readonly folder: string;
  readonly process: ServerProcess;
  /** Sends a request as the full key, or as a token; null: as nobody. */
  send(method: string, path: string, body?: unknown, as?: string | null): Promise<Answered>;
}

/** Starts a process on a data folder of its own; it ends with the test. */
export async function startGalleyAlone(t: Teardown, env: NodeJS.ProcessEnv): Promise<Galley> {
  const folder = mkdtempSync(join(tmpdir(), "galley-node-"));
  const process = await startGalley(folder, env);
  t.teardown(async () => {
    await process.end("SIGKILL");
    rmSync(folder, { recursive: true, force: true });
  });
  return {
    url: process.url,
    folder,
    process,
    async send(method, path, body, as = PROCESS_KEY) {
      const answer = await fetch(process.url + path, {
        method,
        headers: {
          ...(as === null ? {} : { authorization: `Bearer ${as}` }),
          ...(body === undefined ? {} : { "content-type": "application/json" }),
        },
        ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      });
      const text = await answer.text();
      return { status: answer.status, text, json: text.startsWith("{") ? JSON.parse(text) : undefined };
    },
  };
}

/** The newest mail of a kind to an address, whichever of the processes has sent it. */
export async function mailFrom(galleys: readonly Galley[], to: string, kind: string): Promise<ReceivedMail> {
  const folders = [...new Set(galleys.map(({ folder }) => folder))];
  const find = () => folders.flatMap(mailsIn).filter((mail) => mail.kind === kind && mail.to.includes(to));
  await until(() => find().length > 0, 20, `a mail of kind ${kind} to ${to}`);
  return find().at(-1) as ReceivedMail;
}
