import type { Document } from "mongodb";
import { versionOf } from "#protocol/delta";
import type { LoggedCommit } from "../commit-log.ts";
import type { Position } from "../document-store.ts";
import type { ChangeEvent } from "./change-events.ts";
import type { CommitGroup } from "./commit-groups.ts";
import { isMarker } from "./commit-marker.ts";
import { versionOfBytes } from "./event-bytes.ts";
import { type KeptChange, keptCommit } from "./kept-commit.ts";
import { parseStored } from "./rows.ts";

/** Collections of the engine itself: the tail tells nobody of them but the engine. */
const INTERNAL = new Set(["_catalog", "_meta", "_nodes"]);

/** What one commit means, for those who follow the documents and for the engine itself. */
export interface TailCommit {
  /** Undefined if it changed nothing that anybody is told of. */
  readonly commit: LoggedCommit | undefined;
  /** The highest version among its documents. */
  readonly version: number;
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
  const changes = new Map<string, Followed>();
  let version = 0;
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
        if (INTERNAL.has(collection)) {
          internal.push({ collection, id, document: document && parseStored(document) });
          break;
        }
        if (document) version = Math.max(version, versionOf(versionOfBytes(document)));
        follow(changes, event, document);
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
  const changed = changes.size > 0 || told.length > 0;
  const commit = changed ? keptCommit(position, [...changes.values()], told) : undefined;
  return { commit, version, internal, dropped, shaped, ended };
}

interface Followed extends KeptChange {
  /** Whether nothing was stored before the commit. */
  readonly made: boolean;
}

/** Keeps the last state of a document. One that the commit made and deleted again leaves nothing. */
function follow(
  changes: Map<string, Followed>,
  event: Extract<ChangeEvent, { collection: string; id: string }>,
  document: Uint8Array | undefined,
): void {
  const { collection, id } = event;
  const key = `${collection}/${id}`;
  const made = changes.get(key)?.made ?? (event.kind === "put" && event.insert);
  if (made && !document) changes.delete(key);
  else changes.set(key, { collection, id, document, made });
}
