/** The commits that logged-galley.ts writes into a file. */
import { closeSync, openSync, readSync } from "node:fs";
import type { Document } from "#protocol/values";
import { parseText } from "#protocol/values";
import { type CommitLog, createOrder, type LoggedCommit, type LoggedDocument } from "./commit-log.ts";

export interface LoggedLine {
  readonly position: string;
  readonly changes: {
    readonly collection: string;
    readonly id: string;
    readonly version: number | undefined;
    readonly text: string | undefined;
  }[];
  readonly dropped?: readonly string[];
  readonly anew?: true;
}

/** How often the file is looked at. */
const LOOK_MS = 20;

export function followFile(path: string): CommitLog {
  const commits: LoggedCommit[] = [];
  const order = createOrder();
  const file = openSync(path, "a+");
  const buffer = Buffer.alloc(1 << 20);
  let at = 0;
  let rest = "";
  const read = () => {
    for (
      let size = readSync(file, buffer, 0, buffer.length, at);
      size > 0;
      size = readSync(file, buffer, 0, buffer.length, at)
    ) {
      at += size;
      const lines = (rest + buffer.toString("latin1", 0, size)).split("\n");
      rest = lines.pop() ?? "";
      for (const line of lines) {
        const commit = commitOf(JSON.parse(Buffer.from(line, "latin1").toString("utf8")) as LoggedLine);
        commits.push(commit);
        order.came(commit.position);
      }
    }
  };
  const timer = setInterval(read, LOOK_MS);
  return {
    commits,
    orderOf: order.of,
    // It is written before the writer is answered.
    settled: async () => read(),
    close() {
      clearInterval(timer);
      closeSync(file);
    },
  };
}

function commitOf({ position, changes, dropped, anew }: LoggedLine): LoggedCommit {
  return {
    position,
    changes: changes.map(({ collection, id, version, text }) => ({
      collection,
      id,
      document: text === undefined ? undefined : documentOf(id, version ?? 1, text),
    })),
    ...(dropped && { dropped }),
    ...(anew && { anew }),
  };
}

function documentOf(id: string, version: number, text: string): LoggedDocument {
  let value: Document | undefined;
  return {
    ...{ id, version, text },
    get value() {
      value ??= parseText(text) as Document;
      return value;
    },
  };
}
