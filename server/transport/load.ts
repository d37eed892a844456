/** What one server bears; http-api.md "Time and load". Tests replace them, deployments do not need to. */
export interface LoadLimits {
  /** Milliseconds for the headers of a request to arrive; looked after every `checkMs`. */
  readonly headersMs: number;
  /** Node's own interval is 30 s, which would make 10 s up to 40. */
  readonly checkMs: number;
  /** For a JSON body to arrive whole. */
  readonly bodyMs: number;
  /** For a streamed body or reply to stand still, on either side. */
  readonly stallMs: number;
  /** For a client to go on sending a body whose reply has already left. */
  readonly lingerMs: number;
  /** An idle connection's life: longer than the 60 s of common proxies, so that they end it first. */
  readonly keepAliveMs: number;
  /** Requests at once; above, 503 `unavailable`. */
  readonly inFlight: number;
  readonly connections: number;
  /** At the stop: for requests in flight to be answered. */
  readonly drainMs: number;
  /** At the stop: for idle connections, so that requests already on the wire get an answer. */
  readonly farewellMs: number;
  /** WebSockets of this node, and of one network. */
  readonly sockets: number;
  readonly socketsPerNetwork: number;
  /** Bytes and fragments of one message on a WebSocket. Browsers send theirs in one piece. */
  readonly frameBytes: number;
  readonly frameFragments: number;
  /** Between two pings of a WebSocket. */
  readonly beatMs: number;
  /** For a client to answer the close of its WebSocket; it may have to read what was sent before. */
  readonly socketCloseMs: number;
  /** At the stop: clients of WebSockets are asked to come back at some time within this. */
  readonly byeSpreadMs: number;
}

export const LOAD: LoadLimits = {
  headersMs: 10_000,
  checkMs: 1000,
  bodyMs: 30_000,
  stallMs: 60_000,
  lingerMs: 5000,
  keepAliveMs: 75_000,
  inFlight: 2000,
  connections: 50_000,
  drainMs: 30_000,
  farewellMs: 500,
  sockets: 20_000,
  socketsPerNetwork: 5000,
  frameBytes: 64 * 1024,
  frameFragments: 64,
  beatMs: 25_000,
  socketCloseMs: 10_000,
  byeSpreadMs: 10_000,
};
