/**
 * Rounds of every operation of accounts, by many at once, each cut off by kill -9: afterwards every operation that was
 * answered is in the store whole, and each that was cut off is there whole or not at all.
 */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as wait } from "node:timers/promises";
import type { DocumentStore } from "../../server/stores/document-store.ts";
import {
  forget,
  type Mails,
  newPerson,
  OPERATIONS,
  type Operation,
  type Person,
  type Request,
} from "./account-operations.ts";
import { dumpAccounts, halves, type Shape, shapeOf, textOf } from "./account-shape.ts";
import { type ReceivedMail, readMail } from "./mailbox.ts";
import { NO_LIMITS } from "./no-limits.ts";
import { type Random, seeded } from "./seeded.ts";
import { PROCESS_KEY, type ServerProcess, startGalley } from "./server-process.ts";
import { until } from "./until.ts";

export interface AccountKills {
  readonly folder: string;
  readonly env: Readonly<Record<string, string>>;
  /** Opens the same store beside the killed process, or beside the next one. */
  readonly openStore: () => Promise<DocumentStore>;
  readonly shared: boolean;
  readonly rounds: number;
  readonly seed: number;
  readonly people?: number;
}

export interface AccountKillReport {
  /** What is not as it was answered, or is there in part, in words. */
  readonly breaches: readonly string[];
  readonly answered: number;
  /** Operations that were cut off, by what became of them. */
  readonly cutOff: { readonly whole: number; readonly nothing: number };
  /** How often each operation was answered. */
  readonly operations: Readonly<Record<string, number>>;
}

interface Pending {
  readonly name: string;
  readonly operation: Operation;
  readonly request: Request;
  readonly after: Shape;
}

interface Answer {
  readonly status: number;
  readonly text: string;
}

/** Answered operations before a kill, at most. */
const MOST = 50;
/** Hashes at once: those beyond would only wait in the queue, and the kill would cut nothing off but that. */
const HASHING = 2;
/** Refused for the moment: the client tries something else. */
const NOT_NOW: ReadonlySet<number> = new Set([429, 503]);

export async function accountKillRounds(setting: AccountKills): Promise<AccountKillReport> {
  const { folder, env, openStore, shared, rounds, seed, people: count = 10 } = setting;
  const random = seeded(seed);
  const start = () => startGalley(folder, { ...env, GALLEY_TRUSTED_PROXIES: "127.0.0.1" });
  let server: ServerProcess = await start();
  const people = Array.from({ length: count }, (_, i) => newPerson(`p${i}`));
  const pending = new Map<Person, Pending>();
  const mails = readMails(folder);
  const breaches: string[] = [];
  const operations: Record<string, number> = {};
  const cutOff = { whole: 0, nothing: 0 };
  let answered = 0;
  let addresses = 0;
  let hashing = 0;

  async function send(person: Person, { method, path, body, as = PROCESS_KEY }: Request): Promise<Answer | undefined> {
    try {
      const reply = await fetch(`${server.url}/v1/${path}`, {
        method,
        headers: {
          "x-forwarded-for": `10.0.${person.name.slice(1)}.1`,
          ...(as !== null && { authorization: `Bearer ${as}` }),
          ...(body && { "content-type": "application/json" }),
        },
        ...(body && { body: JSON.stringify(body) }),
      });
      return { status: reply.status, text: await reply.text() };
    } catch {
      return undefined;
    }
  }

  /** Does one thing. @returns false if its answer never came */
  async function act(person: Person, name: string, operation: Operation): Promise<boolean> {
    if (person.shape.user === "none") person.device = `${person.name}-${addresses}`;
    person.plan = {
      email: `${person.name}.${addresses++}@example.org`,
      password: `lantern-orbit-${addresses}-meadow`,
    };
    const request = operation.request(person, mails);
    const after = operation.effect(person.shape, person);
    const answer = await send(person, request);
    if (!answer) {
      pending.set(person, { name, operation, request, after });
      return false;
    }
    if (NOT_NOW.has(answer.status)) await wait(5);
    else if (answer.status >= 300) breaches.push(`${person.name}: ${name}: ${answer.status} ${answer.text}`);
    else {
      person.shape = after;
      operation.took(person, answer.text === "" ? {} : JSON.parse(answer.text));
      operations[name] = (operations[name] ?? 0) + 1;
      answered++;
    }
    return true;
  }

  async function live(person: Person): Promise<void> {
    for (let goesOn = true; goesOn; ) {
      const fitting = Object.entries(OPERATIONS).filter(([, { hashes, fits }]) => {
        return fits(person, mails) && (!hashes || hashing < HASHING);
      });
      const [name, operation] = choose(random, fitting);
      if (operation.hashes) hashing++;
      goesOn = await act(person, name, operation);
      if (operation.hashes) hashing--;
    }
  }

  /** Holds a person against the store, and lets them know what has become of what was cut off. */
  function settle(person: Person, dump: Awaited<ReturnType<typeof dumpAccounts>>): void {
    const cut = pending.get(person);
    if (cut && (person.email === undefined || cut.after.email !== person.shape.email)) {
      // Where the answer is lost, the address alone says who they are.
      person.email ??= person.plan.email;
    }
    const { shape, id, keyId } = shapeOf(dump, person);
    const found = textOf(shape);
    person.keyId = keyId;
    if (!cut) {
      if (found !== textOf(person.shape))
        breaches.push(`${person.name}: is ${found}, was answered ${textOf(person.shape)}`);
    } else if (found === textOf(cut.after)) {
      cutOff.whole++;
      person.id = id;
      person.shape = shape;
      cut.operation.took(person, undefined);
    } else if (found === textOf(person.shape)) cutOff.nothing++;
    else
      breaches.push(
        `${person.name}: ${cut.name}: is ${found}, was ${textOf(person.shape)}, is to be ${textOf(cut.after)}`,
      );
    person.shape = { ...shape, current: person.session ? shape.current : "none" };
    if (shape.user === "none" && person.email !== undefined) forget(person);
  }

  /** What was answered still holds for the client: tokens, keys, passwords; and who lost an answer goes on. */
  async function prove(person: Person): Promise<void> {
    const cut = pending.get(person);
    pending.delete(person);
    const expect = async (what: string, status: number, request: Request) => {
      const answer = await send(person, request);
      if (answer?.status !== status) breaches.push(`${person.name}: ${what}: ${answer?.status} ${answer?.text}`);
      return answer;
    };
    if (person.key) {
      const token = person.key.secret;
      const answer = await send(person, { method: "POST", path: "documents/posts/query", body: {}, as: token });
      if (answer?.status !== 403) breaches.push(`${person.name}: the key: ${answer?.status} ${answer?.text}`);
    }
    const { session } = person;
    if (session) {
      // Also the token whose successor was lost: within half a minute it brings that successor.
      const again = cut?.name === "refresh" && Number(person.shape.current) > 1;
      const body = { refreshToken: session.refreshToken };
      const answer = await expect("a refresh", 200, { method: "POST", path: "auth/refresh", body, as: null });
      if (answer?.status === 200) person.session = { ...session, ...JSON.parse(answer.text) };
      const lost = again && cut !== undefined && textOf(cut.after) === textOf(person.shape);
      if (!lost) person.shape = { ...person.shape, current: Number(person.shape.current) + 1 };
    } else if (person.password !== undefined && person.email !== undefined) {
      await act(person, "sign in", OPERATIONS["sign in"] as Operation);
      if (!person.session) breaches.push(`${person.name}: cannot sign in after ${cut?.name}`);
    } else if (person.shape.user === "guest") forget(person);
    const { password, plan } = person;
    const unused = cut !== undefined && cut.request.body !== undefined && "password" in cut.request.body;
    if (unused && password !== undefined && password !== plan.password && somebody(person)) {
      const body = { email: person.email, password: plan.password };
      await expect("a password that never was", 401, { method: "POST", path: "auth/sign-in", body, as: null });
    }
  }

  const prepared = await send(people[0] as Person, { method: "POST", path: "documents/posts", body: {} });
  if (prepared?.status !== 201) throw new Error(prepared?.text);
  await patchSettings(server.url);
  for (let round = 0; round < rounds; round++) {
    const target = answered + 10 + Math.floor(random() * MOST);
    const lives = Promise.all(people.map(live));
    await until(() => answered >= target || breaches.length > 0, 60, `round ${round}: ${target} answers`);
    await server.end("SIGKILL");
    await lives;
    if (shared) server = await start();
    const store = await openStore();
    const dump = await dumpAccounts(store);
    await store.close();
    if (!shared) server = await start();
    breaches.push(...halves(dump).map((half) => `round ${round}: ${half}`));
    for (const person of people) settle(person, dump);
    await Promise.all(people.map(prove));
    if (breaches.length > 0) break;
  }
  await server.end("SIGTERM");
  return { breaches, answered, cutOff, operations };
}

const somebody = ({ shape }: Person) => shape.user === "unproven" || shape.user === "proven";

function choose<T extends readonly [string, Operation]>(random: Random, list: readonly T[]): T {
  let left = random() * list.reduce((sum, [, { weight }]) => sum + weight, 0);
  for (const one of list) {
    left -= one[1].weight;
    if (left < 0) return one;
  }
  return list.at(-1) as T;
}

async function patchSettings(url: string): Promise<void> {
  const reply = await fetch(`${url}/v1/admin/settings`, {
    method: "PATCH",
    headers: { authorization: `Bearer ${PROCESS_KEY}`, "content-type": "application/json" },
    body: JSON.stringify(NO_LIMITS),
  });
  if (reply.status !== 200) throw new Error(await reply.text());
}

/** The mails of an outbox, each read once. */
function readMails(folder: string): Mails {
  const seen = new Set<string>();
  const found = new Map<string, ReceivedMail[]>();
  return (to, kind) => {
    const outbox = join(folder, "outbox");
    for (const name of namesIn(outbox).sort()) {
      if (seen.has(name)) continue;
      seen.add(name);
      const mail = readMail(name, readFileSync(join(outbox, name), "utf8"));
      const key = `${mail.kind} ${mail.to}`;
      found.set(key, [...(found.get(key) ?? []), mail]);
    }
    return found.get(`${kind} ${to}`) ?? [];
  };
}

function namesIn(folder: string): string[] {
  try {
    return readdirSync(folder).filter((name) => name.endsWith(".eml"));
  } catch {
    return []; // made with the first mail
  }
}
