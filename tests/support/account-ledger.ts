/**
 * The ledger of accounts: clients that do everything that accounts offer, and hold what they were answered against the
 * store. What was answered is there whole; what was cut off is there whole or not at all.
 */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as wait } from "node:timers/promises";
import {
  forget,
  type Mails,
  newPerson,
  OPERATIONS,
  type Operation,
  type Person,
  type Request,
} from "./account-operations.ts";
import { type Dump, halves, type Shape, shapeOf, textOf } from "./account-shape.ts";
import { type ReceivedMail, readMail } from "./mailbox.ts";
import { NO_LIMITS } from "./no-limits.ts";
import { PROCESS_KEY } from "./server-process.ts";

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

/** Refused for the moment: the client tries something else. */
const NOT_NOW: ReadonlySet<number> = new Set([429, 503]);

export class AccountLedger {
  /** What is not as it was answered, or is there in part, in words. */
  readonly breaches: string[] = [];
  readonly people: Person[] = [];
  /** How often each operation was answered. */
  readonly operations: Record<string, number> = {};
  /** Operations that were cut off, by what became of them. */
  readonly cutOff = { whole: 0, nothing: 0 };
  answered = 0;
  readonly #url: () => string;
  readonly #mails: Mails;
  readonly #pending = new Map<Person, Pending>();
  #addresses = 0;

  /** @param url of the server that runs now @param folder its data folder, where its mails are */
  constructor(url: () => string, folder: string) {
    this.#url = url;
    this.#mails = readMails(folder);
  }

  /** Lets limits out of the way. */
  async prepare(): Promise<void> {
    const request = { method: "PATCH", path: "admin/settings", body: NO_LIMITS } as const;
    const answer = await this.#send(this.join(), request);
    if (answer?.status !== 200) throw new Error(answer?.text);
  }

  /** Someone new, who has no account yet. */
  join(): Person {
    const person = newPerson(`p${this.people.length}`);
    this.people.push(person);
    return person;
  }

  /** The operations that make sense for someone now. */
  fitting(person: Person): [string, Operation][] {
    return Object.entries(OPERATIONS).filter(([, { fits }]) => fits(person, this.#mails));
  }

  /** Does one thing. @returns false if its answer never came */
  async act(person: Person, name: string): Promise<boolean> {
    const operation = OPERATIONS[name] as Operation;
    const unique = this.#addresses++;
    if (person.shape.user === "none") person.device = `${person.name}-${unique}`;
    person.plan = { email: `${person.name}.${unique}@example.org`, password: `lantern-orbit-${unique}-meadow` };
    const request = operation.request(person, this.#mails);
    const after = operation.effect(person.shape, person);
    const answer = await this.#send(person, request);
    if (!answer) {
      this.#pending.set(person, { name, operation, request, after });
      return false;
    }
    if (NOT_NOW.has(answer.status)) await wait(5);
    else if (answer.status >= 300) this.#breach(person, name, `${answer.status} ${answer.text}`);
    else {
      person.shape = after;
      operation.took(person, answer.text === "" ? {} : JSON.parse(answer.text));
      this.operations[name] = (this.operations[name] ?? 0) + 1;
      this.answered++;
    }
    return true;
  }

  /** Holds everybody against the store, and lets them know what has become of what was cut off. */
  settle(dump: Dump): void {
    this.breaches.push(...halves(dump));
    for (const person of this.people) this.#settle(person, dump);
  }

  #settle(person: Person, dump: Dump): void {
    const cut = this.#pending.get(person);
    // Where the answer is lost, the address alone says who they are.
    if (cut) person.email ??= person.plan.email;
    const { shape, id, keyId } = shapeOf(dump, person);
    const [found, before] = [textOf(shape), textOf(person.shape)];
    person.keyId = keyId;
    if (!cut) {
      if (found !== before) this.#breach(person, "at rest", `is ${found}, was answered ${before}`);
    } else if (found === textOf(cut.after)) {
      this.cutOff.whole++;
      // Of one that is gone the client still has the id.
      person.id = id ?? person.id;
      person.shape = shape;
      cut.operation.took(person, undefined);
    } else if (found === before) this.cutOff.nothing++;
    else this.#breach(person, cut.name, `is ${found}, was ${before}, is to be ${textOf(cut.after)}`);
    person.shape = { ...shape, current: person.session ? shape.current : "none" };
    if (shape.user === "none" && person.email !== undefined) forget(person);
  }

  /** What was answered still holds for the client: tokens, keys, passwords; and who lost an answer goes on. */
  async prove(person: Person): Promise<void> {
    const cut = this.#pending.get(person);
    this.#pending.delete(person);
    await this.#proveKey(person);
    if (person.session) await this.#proveSession(person, cut);
    else if (person.password !== undefined && person.email !== undefined) {
      await this.act(person, "sign in");
      if (!person.session) this.#breach(person, "cannot sign in after", String(cut?.name));
    } else if (person.shape.user === "guest") forget(person);
    await this.#proveOtherPassword(person, cut);
  }

  async #proveKey(person: Person): Promise<void> {
    if (!person.key) return;
    const request = { method: "POST", path: "documents/posts/query", body: {}, as: person.key.secret } as const;
    // It may get documents, not list them: so it is known.
    await this.#expect(person, "the key", 403, request);
  }

  /** Also by the token whose successor was lost: within half a minute it brings that successor. */
  async #proveSession(person: Person, cut: Pending | undefined): Promise<void> {
    const { session } = person;
    const body = { refreshToken: session?.refreshToken };
    const answer = await this.#expect(person, "a refresh", 200, {
      method: "POST",
      path: "auth/refresh",
      body,
      as: null,
    });
    if (answer?.status === 200 && session) person.session = { ...session, ...JSON.parse(answer.text) };
    const again = cut?.name === "refresh" && textOf(cut.after) === textOf(person.shape);
    if (!again) person.shape = { ...person.shape, current: Number(person.shape.current) + 1 };
  }

  /** The password that did not come to be, or is not any more. */
  async #proveOtherPassword(person: Person, cut: Pending | undefined): Promise<void> {
    const { request, operation } = cut ?? {};
    const body = request?.body as { password?: string; current?: string } | undefined;
    if (!operation?.hashes || person.password === undefined || person.shape.user === "none") return;
    const other = body?.password === person.password ? body.current : body?.password;
    if (other === undefined || other === person.password) return;
    const wrong = { email: person.email, password: other };
    await this.#expect(person, "another password", 401, {
      method: "POST",
      path: "auth/sign-in",
      body: wrong,
      as: null,
    });
  }

  async #expect(person: Person, what: string, status: number, request: Request): Promise<Answer | undefined> {
    const answer = await this.#send(person, request);
    if (answer?.status !== status) this.#breach(person, what, `${answer?.status} ${answer?.text}`);
    return answer;
  }

  #breach({ name }: Person, what: string, how: string): void {
    this.breaches.push(`${name}: ${what}: ${how}`);
  }

  async #send({ name }: Person, { method, path, body, as = PROCESS_KEY }: Request): Promise<Answer | undefined> {
    try {
      const reply = await fetch(`${this.#url()}/v1/${path}`, {
        method,
        headers: {
          "x-forwarded-for": `10.0.${name.slice(1)}.1`,
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
