import { type Document, parseText } from "#protocol/values";
import type { LoggedCommit } from "../commit-log.ts";
import type { Commit, Row } from "../document-store.ts";

/** What the log keeps of a commit: texts, since the driver's values take several times their room. */
export function keptCommit(commit: Commit): LoggedCommit {
  const { position, dropped } = commit;
  let bytes = 100;
  const changes = commit.changes.map(({ collection, id, next }) => {
    bytes += id.length + (next?.text.length ?? 0);
    return { collection, id, kept: next && { version: next.version, text: next.text } };
  });
  const make = (): Commit => ({
    position,
    changes: changes.map(({ collection, id, kept }) => {
      return { collection, id, next: kept && new KeptRow(id, kept.version, kept.text) };
    }),
    ...(dropped && { dropped }),
  });
  return { position, bytes, make };
}

/** A row whose text is parsed at first use. */
class KeptRow implements Row {
  readonly id: string;
  readonly version: number;
  readonly text: string;
  #value: Document | undefined;

  constructor(id: string, version: number, text: string) {
    this.id = id;
    this.version = version;
    this.text = text;
  }

  get value(): Document {
    this.#value ??= parseText(this.text) as Document;
    return this.#value;
  }
}
