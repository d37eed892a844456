import type { Door } from "../door.ts";
import type { Http } from "../http.ts";
import type { OwnWrites } from "../own-writes.ts";
import type { Auth } from "../types/auth.ts";
import type { Connection, Live, LiveState } from "../types/live.ts";

/** What the client hands in: nothing of it is imported, as in transaction.ts. */
export interface LiveParts extends Pick<Door, "ApiError" | "encodeObject"> {
  readonly url: string;
  readonly WebSocket: typeof WebSocket;
  readonly http: Pick<Http, "claim" | "seen" | "send">;
  readonly auth: Pick<Auth, "onChange">;
  readonly decode: (text: string) => unknown;
  readonly connection: OpenConnection;
  /** Filled in by what shows them. */
  readonly own: OwnWrites;
  readonly optimistic: boolean;
}

/** `db.connection`, and what the app does not see of it. */
export interface OpenConnection extends Connection {
  status: Connection["status"];
  paused?: boolean;
  readonly listeners: Set<() => void>;
  /** Follows `paused`. */
  drive?: () => void;
  close?: () => void;
}

/** Does the work of live results. */
export interface Machine {
  watch<R>(key: string, next?: (state: LiveState<R>) => void, linger?: number): Live<R>;
}
