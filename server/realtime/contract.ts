import type { Node, SortKey } from "#protocol/ast";
import type { GalleyError } from "#protocol/errors";
import type { LiveQuery, Reset } from "#protocol/frames";
import type { Scope } from "../access/authorize.ts";
import type { RuledPrincipal } from "../access/caller.ts";
import type { Position, Row } from "../stores/document-store.ts";

/**
 * The parts of live queries and what they hand each other; live-queries.md 2.
 *
 *   store's tail -> live-tail.ts -> windows.ts (lists, values) -> sessions.ts (what a socket shows) -> transport/live-socket.ts
 *
 * Everything that follows a commit happens in the turn in which the tail tells it: no listener here waits for anything.
 */

/** A question bound to its asker: what one window shows. Made by documents, which parses questions and knows masks. */
export type BoundQuestion = ListQuestion | ValueQuestion;

interface Bound {
  /**
   * The canonical text of all that decides what is shown: collection, filter with the rule in it, sort, limit, select,
   * masks. Equal texts: one window, whoever asks.
   */
  readonly identity: string;
  readonly collection: string;
  /** Closed and normalised, the rule in it. */
  readonly filter: Node;
  /** Documents that a load may look at. */
  readonly candidates: number;
  /** An error as those who ask this may be told it: the index that a rule lacks would tell what stands in the rule. */
  told(error: GalleyError): GalleyError;
}

export interface ListQuestion extends Bound {
  readonly kind: "list";
  /** Ends with `_id`. */
  readonly sort: readonly SortKey[];
  readonly limit: number;
  /** Characters of documents that a load may hold together. */
  readonly characters: number;
  /** Opaque to clients: equal as long as equal versions look alike (rules version, masks, select, epoch). */
  readonly shape: string;
  /** A document as those who ask this may see it: JSON text. */
  show(row: Row): string;
}

export interface ValueQuestion extends Bound {
  readonly kind: "value";
  /** JSON text of the answer as it is at a position that is at or after `at`, and which the tail reaches by itself. */
  read(at: Position): Promise<{ readonly text: string; readonly position: Position }>;
}

/** The windows of a node. */
export interface Windows {
  /**
   * The window of a question, loading if nobody has asked it yet. The viewer is told `ready` once it is live, in a later
   * turn, or `failed`.
   * @throws GalleyError `index_required` beyond the windows that no index entry can find, of this node or, with
   *   `details.reason` `share_used`, of the asker; `unavailable` while the tail lags
   */
  join(question: BoundQuestion, viewer: Viewer): Window;
}

/** One window, as one of its viewers holds it. */
export interface Window {
  /** As frames name it: random, opaque. */
  readonly name: string;
  readonly question: BoundQuestion;
  /**
   * The whole result as it is now, after the last commit that the tail told. A promise where texts have to be read first:
   * ask again when it is resolved, for meanwhile the result may have changed. Only while the window is live.
   */
  snapshot(): WindowState | Promise<void>;
  /** No more calls. */
  leave(viewer: Viewer): void;
}

export interface ListState {
  readonly kind: "list";
  /** Their texts. */
  readonly rows: readonly string[];
  readonly more: boolean;
  /** It is an exact beginning only; the rest is being read, and comes as a change. */
  readonly short: boolean;
  /** Of its rows, as clients reckon it. */
  hash(): string;
}

export type WindowState =
  | ListState
  /** `position`: where it is exact. */
  | { readonly kind: "value"; readonly text: string; readonly position: Position };

/** On whose account windows are read: each has a share of what a node can do at once. */
export interface Asker {
  /** A person, a server, or the network of those who are nobody; no two have the same. */
  readonly name: string;
  /** A service key or an admin: not bound to a share of windows. */
  readonly isTrusted: boolean;
}

/** Who shows a window: one a socket and window, however many subscriptions of the socket it feeds. */
export interface Viewer {
  readonly asker: Asker;
  /** It is live, for the first time, or again after `reset`. */
  ready(): void;
  /** A commit changed what it shows. Called in commit order, in the turn of the commit. */
  changed(change: Change): void;
  /** What it has shown is no longer to be built on: until `ready` there are no changes. */
  reset(reason: Reset): void;
  /** It has ended: it could not be loaded. */
  failed(error: GalleyError): void;
}

/**
 * What a commit did to a window; one object for all of its viewers. What a refill brought, or a value computed anew, is a
 * change too: it comes between commits, at the position of the one before.
 */
export interface Change {
  readonly position: Position;
  /** JSON text of `{"<window>": <delta>}` without its braces. */
  readonly member: string;
  /** The frame that holds this change alone, as bytes on a WebSocket: made once, at first use. */
  readonly frame: Buffer;
}

/** What realtime needs of documents: reading and binding questions. Handed in, since services do not know each other. */
export interface Questions {
  /** @throws GalleyError `invalid_argument` with the path of each fault, `not_available_yet` for what cannot be watched */
  parse(query: LiveQuery): ParsedQuestion;
}

export interface ParsedQuestion {
  readonly collection: string;
  /**
   * What it shows to somebody. Called again whenever their rights may have changed.
   * @throws GalleyError `unauthenticated`, `permission_denied`, `field_not_queryable`; Unsettled while a lookup is read
   */
  bind(scope: Scope): BoundQuestion;
  /** What it asks of somebody to whom rules deny it. */
  asked(scope: Scope): AskedQuestion;
}

/** A question as whoever explains denials knows it; access-rules.md 9. */
export interface AskedQuestion {
  /** Whose rule denies it. */
  readonly action: "list" | "get";
  readonly collection: string;
  readonly id?: string;
  /** As it was sent. */
  readonly filter?: unknown;
  /** JSON text of all that was sent. */
  readonly text: string;
}

/**
 * Keeps a record of what rules denied, as of a request that they deny. Handed in, since explaining is documents' work.
 * @returns what the client is told instead of the error, in development mode; undefined: the error as it is. It never rejects
 */
export type TellDenial = (
  error: GalleyError,
  denied: Omit<AskedQuestion, "text"> & { readonly principal: RuledPrincipal },
  at: {
    readonly requestId: string;
    /** SHA-256 of what was sent, hex. Asked after the answer. */
    readonly payload: () => string;
    /** Whether whoever asks does so from this machine. */
    readonly isLocal: () => boolean;
  },
) => Promise<GalleyError> | undefined;

/** A socket, as its session sees it. */
export interface Outlet {
  /** Sends at the end of the turn, in this order. A `Buffer` is framed already; a text is one message. */
  send(frames: readonly (Buffer | string)[]): void;
  /** Bytes and messages that the network has not taken yet. */
  readonly unsent: { readonly bytes: number; readonly messages: number };
  /** Calls back once when less than that many bytes are unsent. */
  drained(below: number, then: () => void): void;
  close(code: number, reason: string): void;
}

/** One socket's talk; transport/live-socket.ts feeds it. Nothing it is given makes it throw. */
export interface LiveSession {
  /** One text message, as it came. */
  receive(text: string): void;
  /** This node stops: `bye`, then close 1012. */
  drain(retry: number): void;
  /** The socket has gone. */
  end(): void;
}

/** Where a socket comes from. Who it is, `hello` tells. */
export interface LiveCaller {
  readonly address: string;
  /** What those who are nobody are counted by; their address if it is left out. */
  readonly network?: string;
  readonly origin?: string;
  /** Whether it comes from this machine, through nobody's hands: who develops here is told why something is denied. */
  readonly isLocal?: boolean;
}

export interface LiveService {
  open(outlet: Outlet, caller: LiveCaller): LiveSession;
  close(): Promise<void>;
}
