import type { RequestListener, Server } from "node:http";
import type { AddressInfo } from "node:net";
import Fastify, { type FastifyInstance, type FastifyReply, type FastifyRequest } from "fastify";
import { Faults, GalleyError } from "#protocol/errors";
import type { RequestLimits } from "../accounts/contract.ts";
import { createDenialTeller, type DenialTellerOptions } from "../documents/denial-teller.ts";
import type { Log } from "../log.ts";
import { createAddresses } from "./address.ts";
import type { Cors } from "./cors.ts";
import { createDenialListener, createHint } from "./denials.ts";
import { createEntrance, type Entrance } from "./entrance.ts";
import { createFailures, type Failures } from "./failures.ts";
import { createHttpServer, endWith, type HttpServer } from "./http-server.ts";
import { anonymous, type Verifiers } from "./identify.ts";
import { addBodyParsers, BODY_LIMIT } from "./json-body.ts";
import type { RouteTools } from "./lines.ts";
import { createLiveSockets, type LiveSocketsOptions } from "./live/live-sockets.ts";
import type { LoadLimits } from "./load.ts";
import { readParameters } from "./parameters.ts";
import { createReplies, type Replies } from "./reply.ts";
import type { PathParams, Route } from "./route.ts";
import { checkSchema } from "./schema.ts";

/** Characters of one part of a path: far beyond every legal name, so that the parser of names refuses, not the router. */
const MAX_PART = 4096;

export interface TransportOptions {
  readonly verifiers: Verifiers;
  readonly requestLimits: RequestLimits;
  readonly log: Log;
  readonly cors: Cors;
  readonly trustedProxies: readonly string[];
  readonly secure: boolean;
  readonly load: LoadLimits;
  /** Throws while there is nothing behind the routes yet; those that are open to all answer even so. */
  readonly demandOpen: () => void;
  /** What becomes of denials. */
  readonly explaining: Omit<DenialTellerOptions, "log">;
  /** Makes request ids; never taken from a client. */
  readonly requestId: () => string;
  /** What is behind the WebSockets, and the names by which this server is reached. */
  readonly live: Pick<LiveSocketsOptions, "service" | "hosts" | "random">;
  /** All routes, in reading order. */
  readonly routes: (tools: RouteTools) => readonly Route[];
}

/** HTTP in front of the services. */
export interface Transport {
  readonly fastify: FastifyInstance;
  listen(host: string, port: number): Promise<AddressInfo>;
  close(): Promise<void>;
}

/** Bytes in, bytes out: builds fastify with the laws of http-api.md "Transport" and mounts the routes. */
export async function createTransport(options: TransportOptions): Promise<Transport> {
  const { verifiers, requestLimits, log, cors, load, demandOpen } = options;
  let http: HttpServer | undefined;
  const replies = createReplies({
    secure: options.secure,
    allowsOrigin: cors.allows,
    closing: () => http?.closing === true,
    slow: ({ id, method, route }, status, ms) => {
      log.info({ requestId: id, method, route: route?.path, status, ms: Math.round(ms) }, "slow request");
    },
  });
  const teller = createDenialTeller({ ...options.explaining, log });
  const failures = createFailures(replies, log, load.lingerMs, createDenialListener(teller));
  const fastify = createFastify(options, failures, (listener) => {
    http = createHttpServer(listener, load, (error) => {
      const id = options.requestId();
      return { headers: replies.bare(id), text: failures.text(error, id) };
    });
    return http.server;
  });
  if (http === undefined) throw new Error("fastify did not make its server");
  const server: HttpServer = http;

  answerWithoutRoute(fastify, cors, replies, failures);
  const hint = createHint(teller);
  const warnings: string[] = [];
  const addressOf = createAddresses(options.trustedProxies, (address) => {
    const warning = `${address} sends X-Forwarded-For and is not among GALLEY_TRUSTED_PROXIES: if it is a proxy of yours, name it there, since everybody behind it counts as one address`;
    warnings.push(warning);
    log.warn({}, warning);
  });
  const entrance = createEntrance({ server, verifiers, requestLimits, addressOf, failures, load, demandOpen });
  for (const route of options.routes({ replies, failures, load, warnings, hint })) mount(fastify, route, entrance);
  const sockets = createLiveSockets({
    ...{ ...options.live, addressOf, load, log, demandOpen },
    allowsOrigin: cors.allows,
    take: (address) => requestLimits.take(anonymous(address)),
    closing: () => server.closing,
    refuse(socket, error) {
      const { status, ...reply } = failures.bare(error, options.requestId());
      endWith(socket, status, reply, load.lingerMs);
    },
  });
  server.server.on("upgrade", sockets.upgrade);
  await fastify.ready();
  return {
    fastify,
    listen: (host, port) => server.listen(host, port),
    async close() {
      await Promise.all([server.close(), sockets.close()]);
      await fastify.close();
    },
  };
}

function createFastify(
  { requestId }: TransportOptions,
  failures: Failures,
  serverFactory: (listener: RequestListener) => Server,
): FastifyInstance {
  const fastify = Fastify({
    // No logger: its child per request costs more than a read. What is worth a line is logged by failures and replies.
    logger: false,
    serverFactory,
    bodyLimit: BODY_LIMIT,
    genReqId: requestId,
    return503OnClosing: false,
    frameworkErrors: (error, _request, reply) => failures.send(reply as FastifyReply, error),
    // Routes are checked by schema.ts. Handing over compilers that are never called keeps fastify from loading its own,
    // which is a tenth of the time to start.
    schemaController: { compilersFactory: { buildValidator: noCompiler, buildSerializer: noCompiler } },
    // Parameters are read by parameters.ts, strictly.
    routerOptions: { maxParamLength: MAX_PART, querystringParser: () => NO_QUERY },
  });
  fastify.decorateRequest("route", undefined);
  fastify.decorateRequest("caller", undefined);
  fastify.decorateRequest("scope", undefined);
  fastify.decorateRequest("began", Number.POSITIVE_INFINITY);
  fastify.decorateRequest("bodyHash", undefined);
  fastify.decorateRequest("awaited", undefined);
  addBodyParsers(fastify);
  fastify.setErrorHandler((error, _request, reply) => failures.send(reply, error));
  return fastify;
}

/** A request without a host or a route ends here, before its body is looked at; preflights have no route either. */
function answerWithoutRoute(fastify: FastifyInstance, cors: Cors, replies: Replies, failures: Failures): void {
  fastify.addHook("onRequest", (request, reply, done) => {
    const { raw } = request;
    const nameless = raw.headers.host === undefined && raw.httpVersion === "1.1";
    if (!request.is404 && !nameless) {
      done();
      return;
    }
    const preflight = cors.preflight(raw);
    if (nameless) failures.send(reply, new GalleyError("invalid_argument", "HTTP/1.1 needs a host header"));
    else if (preflight !== undefined) replies.empty(reply, 204, preflight);
    else failures.send(reply, new GalleyError("not_found", "there is no such route"));
  });
}

function mount(fastify: FastifyInstance, route: Route, { enter, enterAgain }: Entrance): void {
  const allowed = route.parameters ?? [];
  fastify.route({
    method: route.method,
    url: route.path.replace(/\{(\w+)\}/g, ":$1"),
    onRequest: (request, reply, done) => enter(route, request, reply, done),
    // Not an async function: a promise more, and its turns, would be a part of a small read that can be seen.
    handler: (request, reply) => {
      const entering = enterAgain(route, request);
      return entering ? entering.then(() => answer(request, reply)) : answer(request, reply);
    },
  });

  function answer(request: FastifyRequest, reply: FastifyReply): void | Promise<void> {
    const { scope, body } = request;
    const parameters = readParameters(request.raw.url ?? "", allowed);
    if (route.body !== undefined) checkBody(route, body);
    return route.answer({ scope, params: request.params as PathParams, parameters, body, request, reply });
  }
}

function checkBody({ body: schema = {}, bodyOptional }: Route, body: unknown): void {
  if (body === undefined && bodyOptional) return;
  const faults = new Faults();
  checkSchema(schema, body, "", faults);
  faults.throwIfAny();
}

function noCompiler(): never {
  throw new Error("no route has a schema of fastify's");
}

const NO_QUERY = Object.freeze({});
