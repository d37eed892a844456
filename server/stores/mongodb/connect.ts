import { setTimeout as wait } from "node:timers/promises";
import { type Db, MongoClient, type MongoClientOptions, type Timestamp } from "mongodb";
import { GalleyError } from "#protocol/errors";
import { CODES, codeOf } from "./errors.ts";
import { isAfter } from "./positions.ts";
import { Deadline } from "./time-limit.ts";
import { type Topology, watchTopology } from "./topology.ts";
import { BSON_OPTIONS } from "./values.ts";

/** The client to reach a collection by. */
export interface Clients {
  db(collection: string): Db;
  clientOf(collection: string): MongoClient;
}

/** The clients of a node and what they know of the server. */
export interface Connection extends Clients {
  /** Documents: reads and writes of requests. */
  readonly documents: Db;
  /** The tail and the server's own collections, with a client and a pool of their own. */
  readonly server: Db;
  /** For reads at a position: whatever else is asked takes none of its connections. Made at first use. */
  readonly positioned: Clients;
  /** What the documents' client knows of the deployment. */
  readonly topology: Topology;
  /** Why the server that answers cannot be used, in one line that says what to do. */
  readonly fault: string | undefined;
  /**
   * Resolves while a primary is known, and once the first handshake with it is done. When it has just been lost, waits a
   * moment for the next one; else throws at once.
   * @throws GalleyError `unavailable`
   */
  ready(): Promise<void>;
  /** Whether `ready` would resolve at once: who asks before has one turn less to wait. */
  readonly isReady: boolean;
  /** The latest cluster time that a confirmed write or a read has shown: no later read may show less. */
  readonly seen: Timestamp | undefined;
  /** Whether it was closed, by `close`. */
  readonly closed: boolean;
  /** Takes note of the `operationTime` of a reply. */
  see(time: Timestamp | undefined): void;
  close(): Promise<void>;
}

/** How long a command waits for a server to send it to. Longer waits are told to the caller, who knows what to do. */
const SELECTION_MILLISECONDS = 1000;
/**
 * How often monitors look, which is as often as the driver lets them: after a mere cut, writes wait for the next look
 * before they are sent again. A primary that is lost without a word is missed after this and the connect time-out.
 */
const HEARTBEAT_MILLISECONDS = 500;
const CONNECT_MILLISECONDS = 2000;
/**
 * A connection that brings no answer for so long is closed. Callers have mostly given up before; what takes longer, as the
 * build of an index, goes on in the server and is asked for again.
 */
const SOCKET_MILLISECONDS = 15_000;
/** How long a command waits for a connection when all are in use. */
const QUEUE_MILLISECONDS = 5000;
/** Milliseconds between tries to reach a server that was never there. */
const RETRY_MILLISECONDS = 300;
/** Milliseconds that a write waits for the majority before it is `unknown`; never the server's default, which is for ever. */
const WRITE_CONCERN_MILLISECONDS = 10_000;
/** Connections of each client: of the server's own collections, and for reads at a position. Of requests, the driver's own 100. */
const POOL = { server: 20, positioned: 32 };
/** The database, unless the URL's path names one. */
const DATABASE = "galley";

const OPTIONS: MongoClientOptions = {
  ...BSON_OPTIONS,
  serverSelectionTimeoutMS: SELECTION_MILLISECONDS,
  socketTimeoutMS: SOCKET_MILLISECONDS,
  waitQueueTimeoutMS: QUEUE_MILLISECONDS,
  heartbeatFrequencyMS: HEARTBEAT_MILLISECONDS,
  connectTimeoutMS: CONNECT_MILLISECONDS,
  readPreference: "primary",
  readConcern: { level: "majority" },
  writeConcern: { w: "majority", journal: true, wtimeoutMS: WRITE_CONCERN_MILLISECONDS },
  retryReads: true,
  retryWrites: true,
};

/**
 * Connects to a MongoDB in the background, for as long as it takes: a server that is absent now is used once it is there.
 *
 * @throws GalleyError `failed_precondition` if the URL is none, without its text, which may hold a password
 */
export function connect(url: string): Connection {
  const documents = newClient(url, {});
  const server = newClient(url, { maxPoolSize: POOL.server });
  const topology = watchTopology(documents);
  const name = databaseOf(url);
  const ending = new AbortController();
  let refused = false;
  const note = (error: unknown) => {
    refused = codeOf(error) === CODES.authenticationFailed;
  };
  const connected = Promise.all([documents, server].map((client) => keepConnecting(client, ending.signal, note)));
  let open = false;
  void connected.then(() => {
    open = !ending.signal.aborted;
  });
  const databases = { documents: documents.db(name), server: server.db(name) };
  let seen: Timestamp | undefined;
  let closing: Promise<void> | undefined;
  let positioned:
    | { readonly client: MongoClient; readonly connected: Promise<void>; readonly clients: Clients }
    | undefined;

  function openPositioned(): NonNullable<typeof positioned> {
    const client = newClient(url, { maxPoolSize: POOL.positioned });
    const database = client.db(name);
    return {
      client,
      connected: keepConnecting(client, ending.signal, note),
      clients: { db: () => database, clientOf: () => client },
    };
  }

  async function close(): Promise<void> {
    ending.abort();
    topology.close();
    await Promise.all([connected, positioned?.connected]);
    await Promise.all([documents, server, positioned?.client].map((client) => client?.close(true)));
  }

  function isReady(): boolean {
    return open && topology.primary;
  }

  async function becomeReady(): Promise<void> {
    if (ending.signal.aborted) throw new GalleyError("unavailable", "the store is closed");
    try {
      if (!(await topology.wait(SELECTION_MILLISECONDS))) throw reasonOf(topology);
      await new Deadline(SELECTION_MILLISECONDS).race(connected);
    } catch (reason) {
      throw new GalleyError("unavailable", "the database cannot be reached at the moment", {}, reason);
    }
    if (ending.signal.aborted) throw new GalleyError("unavailable", "the store is closed");
  }

  return {
    ...databases,
    // Names that start with `_` are the server's.
    db: (collection) => (collection.startsWith("_") ? databases.server : databases.documents),
    clientOf: (collection) => (collection.startsWith("_") ? server : documents),
    get positioned() {
      positioned ??= openPositioned();
      return positioned.clients;
    },
    topology,
    get fault() {
      return topology.fault ?? (refused && !open ? REFUSED : undefined);
    },
    ready: () => (isReady() ? READY : becomeReady()),
    get isReady() {
      return isReady();
    },
    get closed() {
      return ending.signal.aborted;
    },
    get seen() {
      return seen;
    },
    see(time) {
      if (time && isAfter(time, seen)) seen = time;
    },
    close() {
      closing ??= close();
      return closing;
    },
  };
}

const READY = Promise.resolve();
const REFUSED = "MongoDB refuses the user or the password of GALLEY_MONGODB_URL";

function newClient(url: string, options: MongoClientOptions): MongoClient {
  try {
    const appName = /[?&]appName=/i.test(url) ? {} : { appName: "galley" };
    return new MongoClient(url, { ...OPTIONS, ...appName, ...options });
  } catch {
    const expected = "expects mongodb://host:port/database?replicaSet=name; options as the MongoDB manual lists them";
    throw new GalleyError("failed_precondition", `GALLEY_MONGODB_URL: ${expected}`, { reason: "mongodb_url" });
  }
}

/** The driver gives up on a server that it never found, and has to be asked anew. */
async function keepConnecting(
  client: MongoClient,
  signal: AbortSignal,
  failed: (error: unknown) => void,
): Promise<void> {
  while (!signal.aborted) {
    try {
      await client.connect();
      return;
    } catch (error) {
      failed(error);
      await wait(RETRY_MILLISECONDS);
    }
  }
}

/** The driver's own default is a database named `test`. */
function databaseOf(url: string): string {
  const name = /^mongodb(?:\+srv)?:\/\/[^/]+\/([^?]+)/.exec(url)?.[1];
  return name === undefined ? DATABASE : decodeURIComponent(name);
}

function reasonOf({ fault, lacks }: Topology): Error {
  return new Error(fault ?? lacks ?? "no primary is known");
}
