import type { Document } from "mongodb";
import type { Change, Commit, Position } from "../document-store.ts";
import type { ChangeEvent } from "./change-events.ts";
import type { CommitGroup } from "./commit-groups.ts";
import { isMarker } from "./commit-marker.ts";
import { parseStored, rowOfBytes } from "./rows.ts";

/** Collections of the engine itself: the tail tells nobody of them but the engine. */
const INTERNAL = new Set(["_catalog", "_meta", "_nodes"]);

/** What one commit means, for those who follow the documents and for the engine itself. */
export interface TailCommit {
  /** Undefined if it changed nothing that anybody is told of. */
  readonly commit: Commit | undefined;
  /** Documents of the engine's own collections, in order; undefined where one is gone. */
  readonly internal: readonly InternalChange[];
  readonly dropped: readonly string[];
  /** Collections that were made, or whose indexes or options changed. */
  readonly shaped: readonly string[];
  /** The database is gone. */
  readonly ended: boolean;
}

export interface InternalChange {
  readonly collection: string;
  readonly id: string;
  readonly document: Document | undefined;
}

/** @param updated documents of the events that do not carry theirs */
export function readGroup(
  { events }: CommitGroup,
  position: Position,
  updated: ReadonlyMap<ChangeEvent, Uint8Array>,
): TailCommit {
  const changes = new Map<string, { made: boolean; change: Change }>();
  const internal: InternalChange[] = [];
  const dropped: string[] = [];
  const shaped: string[] = [];
  let ended = false;

  for (const event of events) {
    switch (event.kind) {
      case "put":
      case "update":
      case "delete": {
        const { collection, id } = event;
        if (isMarker(collection, id)) break;
        const document = event.kind === "put" ? event.document : updated.get(event);
        if (INTERNAL.has(collection)) internal.push({ collection, id, document: document && parseStored(document) });
        else follow(changes, event, document);
        break;
      }
      case "drop":
        dropped.push(...event.collections);
        break;
      case "shape":
        if (!INTERNAL.has(event.collection)) shaped.push(event.collection);
        break;
      case "end":
        ended = true;
        break;
      case "none":
        break;
    }
  }
  const told = dropped.filter((name) => !INTERNAL.has(name));
  const list = [...changes.values()].map(({ change }) => change);
  const commit =
    list.length > 0 || told.length > 0
      ? { position, changes: list, ...(told.length > 0 ? { dropped: told } : {}) }
      : undefined;
  return { commit, internal, dropped, shaped, ended };
}

/** Keeps the last state of a document. One that the commit made and deleted again leaves nothing. */
function follow(
  changes: Map<string, { made: boolean; change: Change }>,
  event: Extract<ChangeEvent, { collection: string; id: string }>,
  document: Uint8Array | undefined,
): void {
  const { collection, id } = event;
  const key = `${collection}/${id}`;
  // A document of another program that is outside of the language counts as absent.
  const next = document && rowOfBytes(document);
  const made = changes.get(key)?.made ?? (event.kind === "put" && event.insert);
  if (made && !document) changes.delete(key);
  else changes.set(key, { made, change: { collection, id, next } });
}
