/** What tests of the session share: a scripted server, a session that is kept, and storages of several kinds. */
import { ApiError, type Client, type ClientOptions, createClient, type KeyStorage, type Me } from "@galley/sdk";
import type { Test } from "tap";
import { fail, reply, type Script, type ScriptedServer, startScriptedServer } from "../support/scripted-server.ts";

export const ADA: Me = {
  ...{ id: "ada", email: "ada@example.org", emailProven: true, guest: false, name: "Ada", locale: null },
  ...{ data: {}, roles: [], claims: {}, mfa: { totp: false, passkeys: 0, recoveryLeft: 0 }, identities: [] },
  ...{ createdAt: "2026-01-01T00:00:00.000Z", lastSignInAt: null },
};
export const BOB: Me = { ...ADA, id: "bob", email: "bob@example.org", name: "Bob" };

/** A session as the server answers it; its tokens carry its number. */
export const session = (user: Me, n: number) => ({
  ...{ id: `s${n}`, user, accessToken: `a${n}`, expiresIn: 900, refreshToken: `r${n}`, deviceToken: `d${n}` },
});

/** The same as it is kept, made that many seconds ago. */
export function kept(user: Me, n: number, age = 0): string {
  const { deviceToken: _, ...held } = session(user, n);
  return JSON.stringify({ ...held, at: Date.now() - age * 1000, turn: n });
}

/** A storage over a map; several clients that use one stand for several tabs. */
export function mapStorage(map = new Map<string, string>()) {
  const storage: KeyStorage = {
    getItem: (key) => map.get(key) ?? null,
    setItem: (key, value) => map.set(key, value),
    removeItem: (key) => map.delete(key),
  };
  return Object.assign(storage, { map });
}

export interface Scene {
  readonly server: ScriptedServer;
  readonly key: string;
  readonly db: Client;
  /** What was told. */
  readonly told: string[];
  /** What arrived at a route, as the tokens that came with it. */
  tokensAt(path: string): (string | undefined)[];
  client(options?: Partial<ClientOptions>): Client;
}

/** A client on a scripted server. `setUp` may put a session into the storage before. */
export async function play(
  t: Test,
  script: Script,
  options: Partial<ClientOptions> = {},
  setUp: (key: string) => void = () => {},
): Promise<Scene> {
  const server = await startScriptedServer(script);
  const key = `galley:${server.url}`;
  setUp(key);
  const clients: Client[] = [];
  const client = (more: Partial<ClientOptions> = {}): Client => {
    const made = createClient({ url: server.url, ...options, ...more });
    clients.push(made);
    return made;
  };
  t.teardown(async () => {
    for (const one of clients) one.close();
    await server.close();
  });
  const db = client();
  const told: string[] = [];
  db.auth.onChange((user, why) => told.push(`${user?.id ?? null} ${why}`));
  return {
    ...{ server, key, db, told, client },
    tokensAt: (path) =>
      server.seen
        .filter(({ url }) => url.startsWith(`/v1/${path}`))
        .map(({ headers }) => headers.authorization?.replace("Bearer ", "")),
  };
}

/** Answers documents to whoever has this token, refusals to others. */
export function documentsFor(token: string): Script {
  return (response, { headers }) => {
    if (headers.authorization === `Bearer ${token}`) reply(response, 200, { documents: [], position: "h.1" });
    else fail(response, 401, "unauthenticated", { details: { reason: "token_invalid", outcome: "not_applied" } });
  };
}

export function ended(response: Parameters<Script>[0]): void {
  fail(response, 401, "unauthenticated", { details: { reason: "session_ended", outcome: "not_applied" } });
}

export async function errorOf(promise: PromiseLike<unknown>): Promise<ApiError> {
  const thrown: unknown = await promise.then(
    () => undefined,
    (error: unknown) => error,
  );
  if (!ApiError.is(thrown)) throw new Error("expects an ApiError", { cause: thrown });
  return thrown;
}
