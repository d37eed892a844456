import type { IncomingMessage } from "node:http";
import type { FastifyReply, FastifyRequest } from "fastify";
import { GalleyError } from "#protocol/errors";
import type { Principal } from "../access/principal.ts";
import type { RequestLimits } from "../accounts/contract.ts";
import { BodyDeadlines } from "./body-deadlines.ts";
import type { Failures } from "./failures.ts";
import type { HttpServer } from "./http-server.ts";
import { anonymous, identify, type Verifiers } from "./identify.ts";
import { checkBodyHeaders } from "./json-body.ts";
import type { LoadLimits } from "./load.ts";
import type { PathParams, Route } from "./route.ts";

export interface EntranceOptions {
  readonly server: HttpServer;
  readonly verifiers: Verifiers;
  readonly requestLimits: RequestLimits;
  readonly addressOf: (request: IncomingMessage) => string;
  readonly failures: Failures;
  readonly load: LoadLimits;
  /** Throws while there is nothing behind the routes yet. */
  readonly demandOpen: () => void;
}

export interface Entrance {
  /** A fastify `onRequest` hook of one route. */
  enter(route: Route, request: FastifyRequest, reply: FastifyReply, done: () => void): void;
  /**
   * Judges once more who sent a body, which is as slow as its sender likes: nobody keeps a right by that (promise P9).
   * @throws GalleyError as at first
   */
  enterAgain(route: Route, request: FastifyRequest): void | Promise<void>;
}

/**
 * What every request passes before its body is read: is there room, may there be such a body, who calls, how often,
 * and may they.
 * So nobody without a right makes the server read a body, and no fault in one is told before the verdict on its sender.
 */
export function createEntrance(options: EntranceOptions): Entrance {
  const { server, verifiers, requestLimits, addressOf, failures, load, demandOpen } = options;
  const bodies = new BodyDeadlines(load.bodyMs);
  return { enter, enterAgain };

  function enter(route: Route, request: FastifyRequest, reply: FastifyReply, done: () => void): void {
    request.route = route;
    request.began = performance.now();
    const fail = (error: unknown) => failures.send(reply, error);
    const judge = (principal: Principal) => {
      request.caller = principal;
      try {
        if (route.counted) requestLimits.take(principal);
        request.scope = route.authorize(principal, request.params as PathParams);
      } catch (error) {
        fail(error);
        return;
      }
      done();
    };
    try {
      const admitted = server.enter(reply.raw);
      if (server.closing) throw refused("draining", "the server is about to stop: send the request again");
      if (!admitted) throw refused("unavailable", "the server has too many requests in flight: send it again");
      if (!route.open) demandOpen();
      if (checkBodyHeaders(request) && !route.ndjson) {
        request.awaited = bodies.begin(() => {
          fail(refused("timeout", "the body of the request did not arrive in time"));
        });
      }
      const address = addressOf(request.raw);
      const caller = callerOf(route, request, address, verifiers);
      if (caller instanceof Promise) caller.then(judge, fail);
      else judge(caller);
    } catch (error) {
      fail(error);
    }
  }

  function enterAgain(route: Route, request: FastifyRequest): void | Promise<void> {
    if (request.awaited === undefined || request.headers.authorization === undefined) return undefined;
    const judge = (principal: Principal) => {
      request.caller = principal;
      request.scope = route.authorize(principal, request.params as PathParams);
    };
    const caller = callerOf(route, request, addressOf(request.raw), verifiers);
    return caller instanceof Promise ? caller.then(judge) : judge(caller);
  }
}

/** Who calls, as far as the route wants to know. */
function callerOf(
  { open, credential }: Route,
  { headers, raw }: FastifyRequest,
  address: string,
  verifiers: Verifiers,
): Principal | Promise<Principal> {
  if (open || credential === "ignored") return anonymous(address);
  if (credential === undefined) return identify(headers, raw.url ?? "", address, verifiers);
  const nobody = (error: unknown) => {
    if (error instanceof GalleyError && error.code === "unauthenticated") return anonymous(address);
    throw error;
  };
  try {
    const caller = identify(headers, raw.url ?? "", address, verifiers);
    return caller instanceof Promise ? caller.catch(nobody) : caller;
  } catch (error) {
    return nobody(error);
  }
}

/** A request that was turned away before anything was done for it. */
function refused(code: "draining" | "unavailable" | "timeout", message: string): GalleyError {
  return new GalleyError(code, message, { outcome: "not_applied" });
}
