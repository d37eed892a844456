import type { IncomingMessage } from "node:http";
import type { Socket } from "node:net";
import type { Duplex } from "node:stream";
import { type WebSocket, WebSocketServer } from "ws";
import { GalleyError } from "#protocol/errors";
import { limitedNetwork } from "../../accounts/limits/network-limits.ts";
import type { Log } from "../../log.ts";
import type { LiveCaller, LiveService } from "../../realtime/contract.ts";
import type { LoadLimits } from "../load.ts";
import { isFromThisMachine } from "../loopback.ts";
import { type Beats, createBeats } from "./beats.ts";
import { createFrameBundles } from "./frame-bundles.ts";
import { demandHandshake, type HandshakeRules, SUBPROTOCOL } from "./handshake.ts";
import { LiveSocket } from "./live-socket.ts";

export interface LiveSocketsOptions extends HandshakeRules {
  readonly service: Pick<LiveService, "open">;
  readonly addressOf: (request: IncomingMessage) => string;
  readonly load: Pick<
    LoadLimits,
    "sockets" | "socketsPerNetwork" | "frameBytes" | "frameFragments" | "beatMs" | "socketCloseMs" | "byeSpreadMs"
  >;
  readonly random: (bytes: number) => Uint8Array;
  readonly log: Log;
  /** Counts a handshake against the limits of its network. @throws GalleyError `rate_limited` */
  readonly take: (address: string) => void;
  /** Throws while there is nothing behind the socket yet. */
  readonly demandOpen: () => void;
  readonly closing: () => boolean;
  /** Answers an upgrade that was refused, as any other request. */
  readonly refuse: (socket: Duplex, error: unknown) => void;
}

/** The WebSockets of this node. */
export interface LiveSockets {
  /** A listener of the server's `upgrade`. */
  upgrade(request: IncomingMessage, socket: Duplex, head: Buffer): void;
  /** Tells every client to come back, in its own time within 10 s; resolves when their sockets are closed. */
  close(): Promise<void>;
  /** Sockets that are open. */
  readonly size: number;
}

export function createLiveSockets(options: LiveSocketsOptions): LiveSockets {
  const { service, load, log } = options;
  // Its types do not know all of its options.
  const settings = { maxFragments: load.frameFragments, closeTimeout: load.socketCloseMs };
  const server = new WebSocketServer({
    ...settings,
    noServer: true,
    clientTracking: false,
    perMessageDeflate: false,
    maxPayload: load.frameBytes,
    handleProtocols: () => SUBPROTOCOL,
  });
  const open = new Set<LiveSocket>();
  const networks = new Map<string, number>();
  const beats: Beats = createBeats(load.beatMs);
  const parts = { log, beats, bundles: createFrameBundles() };
  let emptied: (() => void) | undefined;

  /** @throws GalleyError */
  function admit(request: IncomingMessage): { address: string; network: string } {
    if (options.closing()) throw new GalleyError("draining", "the server is about to stop: connect again");
    demandHandshake(request, options);
    options.demandOpen();
    const address = options.addressOf(request);
    const network = limitedNetwork(address);
    if (open.size >= load.sockets) throw tooMany("this server has as many sockets open as it takes");
    if ((networks.get(network) ?? 0) >= load.socketsPerNetwork) throw tooMany("your network has too many sockets open");
    options.take(address);
    return { address, network };
  }

  function accept(ws: WebSocket, socket: Socket, caller: LiveCaller & { readonly network: string }): void {
    const { network } = caller;
    networks.set(network, (networks.get(network) ?? 0) + 1);
    const live = new LiveSocket(ws, socket, parts);
    open.add(live);
    live.start(
      (outlet) => service.open(outlet, caller),
      () => {
        open.delete(live);
        const left = (networks.get(network) ?? 1) - 1;
        if (left === 0) networks.delete(network);
        else networks.set(network, left);
        if (open.size === 0) emptied?.();
      },
    );
  }

  return {
    get size() {
      return open.size;
    },
    upgrade(request, socket, head) {
      // The peer may go at any time, and until there is a WebSocket nobody else listens.
      socket.on("error", () => socket.destroy());
      try {
        const admitted = admit(request);
        const { origin } = request.headers;
        const caller = { ...admitted, isLocal: isFromThisMachine(request), ...(origin !== undefined && { origin }) };
        server.handleUpgrade(request, socket, head, (ws) => accept(ws, socket as Socket, caller));
      } catch (error) {
        options.refuse(socket, error);
      }
    },
    async close() {
      const [first = 0, second = 0] = options.random(2);
      let place = (first << 8) | second;
      for (const live of [...open]) {
        // Spread evenly, from a place of chance: those who come back do not come at once.
        live.drain(Math.floor((place / 65_536) * load.byeSpreadMs));
        place = (place + 40_503) % 65_536;
      }
      if (open.size > 0) {
        await new Promise<void>((resolve) => {
          emptied = resolve;
        });
      }
      beats.close();
      server.close();
    },
  };
}

function tooMany(message: string): GalleyError {
  return new GalleyError("rate_limited", message, { retryAfter: 5 });
}
