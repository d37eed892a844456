import { setImmediate as nextTurn } from "node:timers/promises";
import { DENIALS } from "./access/explaining/denials.ts";
import { AUDIT } from "./accounts/audit/audit.ts";
import type { ServiceKeys } from "./accounts/keys/service-keys.ts";
import { LIMITS_RECORDS } from "./accounts/limits/limit-records.ts";
import { MAIL } from "./accounts/mail/mail-records.ts";
import type { HashCosts } from "./accounts/passwords/password-hash.ts";
import { SECRETS } from "./accounts/secrets/secrets.ts";
import { builtAssets } from "./built-assets.ts";
import type { Config } from "./config.ts";
import { prepareDataFolder, removeServerFile, writeServerFile } from "./data-folder.ts";
import type { CollectionService, DocumentService } from "./documents/contract.ts";
import { type AppReply, type AppRequest, inject } from "./inject.ts";
import { createLog, type Log } from "./log.ts";
import { type OpenedStore, type Opening, openOver } from "./opening.ts";
import { pooledRandom } from "./random-bytes.ts";
import type { LiveLimits } from "./realtime/sessions/live-limits.ts";
import type { LiveSessions } from "./realtime/sessions/sessions.ts";
import { openServices, type ServiceParts } from "./services.ts";
import type { DocumentStore } from "./stores/document-store.ts";
import { sqliteStatements } from "./stores/sqlite/statements.ts";
import { openSqliteStore } from "./stores/sqlite/store.ts";
import { createCors } from "./transport/cors.ts";
import { LOAD, type LoadLimits } from "./transport/load.ts";
import { createRefreshCookie, ownOrigins } from "./transport/refresh-cookie.ts";
import type { Transport } from "./transport/server.ts";

/** One Galley: its stores, its services and the HTTP server in front of them. */
export interface App {
  readonly config: Config;
  readonly log: Log;
  /** A service key that may do everything, valid as long as this app runs. */
  readonly key: string;
  readonly store: DocumentStore;
  readonly documents: DocumentService;
  readonly collections: CollectionService;
  readonly keys: ServiceKeys;
  readonly live: LiveSessions;
  /** The link by which the first owner is made, once the services are open; undefined if there is an owner. */
  setUpLink(): Promise<string | undefined>;
  /** Opens the port. Resolves to the address as clients on this machine reach it. */
  listen(): Promise<{ url: string }>;
  /** Answers one request as the port would, without a socket. */
  request(request: AppRequest): Promise<AppReply>;
  /** Answers what is in flight, then ends everything. Repeating it waits for the same end. */
  close(): Promise<void>;
}

/** What tests replace. */
export interface Overrides {
  /** Epoch milliseconds. */
  readonly clock?: () => number;
  /** That many random bytes. */
  readonly random?: (bytes: number) => Uint8Array;
  readonly log?: Log;
  /** Called at the store's named pauses, for tests of faults (fault-cases.md HOOK). */
  readonly pause?: (at: "before-reply") => void | Promise<void>;
  readonly load?: Partial<LoadLimits>;
  readonly live?: Partial<LiveLimits>;
  readonly hashCosts?: HashCosts;
}

/** Picks the stores, builds the services by hand, in order, and mounts the transport. START HERE. */
export async function createApp(config: Config, overrides: Overrides = {}): Promise<App> {
  const { clock = Date.now, random = pooledRandom(), pause, load, live: liveLimits, hashCosts } = overrides;
  const log = overrides.log ?? (await createLog(config));
  for (const warning of config.warnings) log.warn({}, warning);

  const key = `gsk_run_${Buffer.from(random(32)).toString("hex")}`;
  // The store opens while fastify and the routes are read and mounted: a start takes as long as the longer of the two.
  const opening = openOver(
    openStore(config, { clock, random, log, pause }),
    (store) => {
      const ownUrl = config.publicUrl ?? configuredUrl(config);
      const openEmbedded: ServiceParts["openEmbedded"] = (folder, time) => openSqliteStore({ folder, clock: time });
      const common = { clock, random, log, key, hashCosts, statements: statementsOf(config), live: liveLimits };
      return openServices(config, { ...common, store, openEmbedded, ownUrl, publicUrl: () => publicUrl });
    },
    log,
  );
  const { documents, collections, keys, live, setUp } = opening.services;
  // The port may be any free one, which is known once it is open.
  let publicUrl = config.publicUrl ?? configuredUrl(config);
  const origins = new Set(config.allowedOrigins);
  if (config.publicUrl !== undefined) origins.add(config.publicUrl);
  const mounting = mountOver(opening, config, {
    ...{ clock, log, origins, load },
    requestId: requestIds(random),
    publicUrl: () => publicUrl,
    random,
  });
  const [store, transport] = await Promise.all([opening.started, mounting]).catch(async (error) => {
    // Whichever of the two did not fail must not stay open.
    await mounting.then(({ close }) => close()).catch(() => {});
    await opening.close().catch(() => {});
    throw error;
  });

  let listening = false;
  let closing: Promise<void> | undefined;
  async function close(): Promise<void> {
    if (listening) removeServerFile(config.dataDir);
    await transport.close();
    await opening.close();
  }

  return {
    config,
    log,
    key,
    store,
    documents,
    collections,
    keys,
    live,
    setUpLink: () => opening.opened.then(() => setUp.link()),
    async listen() {
      const { address, port, family } = await transport.listen(config.host, config.port);
      const url = `http://${localHost(address, family)}:${port}`;
      // Without a public URL this address is the server's own origin: the console is served from it.
      if (config.publicUrl === undefined) {
        origins.add(url).add(`http://localhost:${port}`);
        publicUrl = url;
      }
      writeServerFile(config.dataDir, { url, key, pid: process.pid });
      listening = true;
      return { url };
    },
    request: (request) => inject(transport, request),
    close() {
      closing ??= close();
      return closing;
    },
  };
}

interface StoreParts extends Pick<Overrides, "pause"> {
  readonly clock: () => number;
  readonly random: (bytes: number) => Uint8Array;
  readonly log: Log;
}

/** Bookkeeping that is written and looked up, and that nobody follows. */
const UNFOLLOWED = [AUDIT, DENIALS, LIMITS_RECORDS, MAIL, SECRETS].map(({ name }) => name);

/** The one place that picks an engine. MongoDB's is read only where it is used. */
async function openStore(config: Config, { clock, random, log, pause }: StoreParts): Promise<OpenedStore> {
  prepareDataFolder(config.dataDir);
  const url = config.mongodbUrl;
  if (url === undefined) return { store: await openSqliteStore({ folder: config.dataDir, clock, pause }) };
  const { openMongoStore } = await import("./stores/mongodb/store.ts");
  const warn = (message: string, error?: unknown) => {
    log.warn(error === undefined ? {} : { reason: error instanceof Error ? error.message : String(error) }, message);
  };
  const store = await openMongoStore({ url, clock, random, warn, unfollowed: UNFOLLOWED });
  return { store, opened: store.opened };
}

/** What is to be known of the database that the configuration names; undefined for the embedded store. */
export async function inspectDatabase({ mongodbUrl }: Pick<Config, "mongodbUrl">) {
  if (mongodbUrl === undefined) return undefined;
  const { inspectMongo } = await import("./stores/mongodb/inspect.ts");
  return inspectMongo(mongodbUrl);
}

interface MountParts extends Pick<Overrides, "load"> {
  readonly clock: () => number;
  readonly log: Log;
  /** That browsers may call from. */
  readonly origins: ReadonlySet<string>;
  readonly requestId: () => string;
  readonly publicUrl: () => string;
  readonly random: (bytes: number) => Uint8Array;
}

/** Mounts the routes over services that are being opened. */
async function mountOver(opening: Opening, config: Config, parts: MountParts): Promise<Transport> {
  const { clock, log, origins, requestId, load, publicUrl, random } = parts;
  const { services, started, demandOpen } = opening;
  const secure = config.publicUrl?.startsWith("https:") === true;
  const isOwnOrigin = ownOrigins(publicUrl, config.mode === "development");
  // Each of these keeps the process busy for a while. In the turns between them the opening goes on.
  await nextTurn();
  const { createTransport } = await import("./transport/server.ts");
  await nextTurn();
  const { allRoutes } = await import("./transport/routes/index.ts");
  await nextTurn();
  const ping = async () => {
    demandOpen();
    await (await started).ping();
  };
  return createTransport({
    verifiers: services,
    requestLimits: services.requestLimits,
    log,
    cors: createCors(origins, config.mode === "development"),
    trustedProxies: config.trustedProxies,
    secure,
    load: { ...LOAD, ...load },
    demandOpen,
    explaining: { ...services, development: config.mode === "development" },
    live: { service: services.live, hosts: createHosts(origins, publicUrl), random },
    requestId,
    routes: (tools) => {
      const cookie = createRefreshCookie({ replies: tools.replies, secure, isOwnOrigin });
      const isShared = config.mongodbUrl !== undefined;
      return allRoutes({ ...tools, ...services, cookie, ping, clock, isShared, assets: builtAssets() });
    },
  });
}

/** The names of servers at these addresses, which change when it is known where this one listens. */
function createHosts(origins: ReadonlySet<string>, publicUrl: () => string): () => ReadonlySet<string> {
  let known = "";
  let hosts: ReadonlySet<string> = new Set();
  return () => {
    const now = `${origins.size} ${publicUrl()}`;
    if (now !== known) hosts = new Set([...origins, publicUrl()].map((one) => new URL(one).hostname));
    known = now;
    return hosts;
  };
}

/** Where a server without a public URL is reached: on this machine, at the port it is given. */
function configuredUrl({ host, port }: Config): string {
  return `http://${localHost(host, host.includes(":") ? "IPv6" : "IPv4")}:${port}`;
}

/** An address to reach a listening socket from this machine: of "all addresses", loopback. */
function localHost(address: string, family: string): string {
  if (address === "0.0.0.0") return "127.0.0.1";
  if (address === "::") return "[::1]";
  return family === "IPv6" ? `[${address}]` : address;
}

/** Short ids, no two alike: a random start for each process and a count. */
function requestIds(random: (bytes: number) => Uint8Array): () => string {
  const start = Buffer.from(random(6)).toString("hex");
  let count = 0;
  return () => `${start}-${(count++).toString(36)}`;
}

/** What the engine in use would be asked, for explanations. */
function statementsOf({ mongodbUrl }: Config): ServiceParts["statements"] {
  if (mongodbUrl === undefined) return async (...question) => ({ sqlite: sqliteStatements(...question) });
  return async (...question) => {
    const { mongoStatements } = await import("./stores/mongodb/statements.ts");
    return { mongodb: mongoStatements(...question) };
  };
}
