/**
 * The write ledger: a client that notes what it meant, what it was answered, and what the answer claims, and afterwards
 * holds all of it against the store (fault-cases.md "Ledger holds"). A write carries an Idempotency-Key, so that an
 * unknown end can be resolved by asking again, unless no fault is to meet it.
 */
import { setTimeout as wait } from "node:timers/promises";
import { type Dispatcher, request } from "undici";

export interface LedgerAnswer {
  readonly status: number;
  readonly body: unknown;
}

/** Sends one request; undefined if no answer came. */
export type LedgerSend = (
  method: string,
  path: string,
  body: unknown,
  key: string | undefined,
) => Promise<LedgerAnswer | undefined>;

type End = "applied" | "not_applied" | "unknown";

interface Entry {
  readonly method: string;
  readonly path: string;
  readonly body: unknown;
  readonly key: string | undefined;
  readonly effect: Effect;
  end: End;
}

/** What a write does to the store if it is applied. */
type Effect =
  | { readonly kind: "create"; readonly ids: readonly string[]; readonly nonce: string }
  | { readonly kind: "add"; readonly counter: string; readonly amount: number }
  | { readonly kind: "delete"; readonly id: string };

/** What docs/error-codes.md calls worth another try, `contention` apart. */
const RETRYABLE: ReadonlySet<number> = new Set([429, 503, 504, 507]);
const TRIES = 60;
const RETRY_MS = 250;
/** Repeats under way at once. */
const SETTLERS = 20;

export class Ledger {
  readonly #collection: string;
  readonly #send: LedgerSend;
  readonly #entries: Entry[] = [];
  readonly #ends: Record<End, number> = { applied: 0, not_applied: 0, unknown: 0 };
  /** The highest version told of each document: it may never go back. */
  readonly #versions = new Map<string, number>();
  /** What readers were shown: it may never be taken back. */
  readonly #seen = new Map<string, string>();
  readonly #breaches: string[] = [];
  #slowest = 0;

  constructor(collection: string, send: LedgerSend) {
    this.#collection = collection;
    this.#send = send;
  }

  /** How many writes ended how. */
  get ends(): Record<End, number> {
    return { ...this.#ends };
  }

  /** New documents whose writes have no certain end yet: what a reader is shown of them may never be taken back. */
  get pending(): string[] {
    return this.#entries.flatMap(({ effect, end }) =>
      end === "unknown" && effect.kind === "create" ? [...effect.ids] : [],
    );
  }

  /** Milliseconds that the slowest answer took, of writes and reads. */
  get slowest(): number {
    return this.#slowest;
  }

  /** One new document. */
  create(id: string): Promise<End> {
    const nonce = this.#nonce();
    const effect: Effect = { kind: "create", ids: [id], nonce };
    return this.#write("POST", `/v1/documents/${this.#collection}`, { _id: id, nonce }, effect);
  }

  /** Several new documents in one batch: all or none. */
  createTogether(ids: readonly string[]): Promise<End> {
    const nonce = this.#nonce();
    const operations = ids.map((id) => ({ op: "create", collection: this.#collection, id, document: { nonce } }));
    return this.#write("POST", "/v1/batch", { operations }, { kind: "create", ids, nonce });
  }

  /**
   * Adds to a counter that many may share.
   *
   * @param keyed false for a plain write, which costs a server much less, and whose end must not be unknown
   */
  add(counter: string, amount: number, keyed = true): Promise<End> {
    const path = `/v1/documents/${this.#collection}/${counter}?upsert=true`;
    return this.#write("PATCH", path, { $inc: { n: amount } }, { kind: "add", counter, amount }, keyed);
  }

  delete(id: string): Promise<End> {
    return this.#write("DELETE", `/v1/documents/${this.#collection}/${id}`, undefined, { kind: "delete", id });
  }

  /**
   * Reads a document that is never deleted. What was confirmed must be there for the same client at once, and what a
   * reader was shown must stay.
   */
  async look(id: string): Promise<void> {
    const confirmed = this.#versions.get(id);
    const answer = await this.#ask("GET", `/v1/documents/${this.#collection}/${id}`, undefined, undefined);
    if (!answer || answer.status >= 500) return;
    const { nonce, _v = 0 } = (answer.body ?? {}) as { nonce?: string; _v?: number };
    if (answer.status === 200 && nonce !== undefined) this.#seen.set(id, nonce);
    if (confirmed !== undefined && (answer.status !== 200 || _v < confirmed)) {
      this.#breaches.push(`${id}: a reader met ${answer.status} at version ${_v} after ${confirmed} was confirmed`);
    }
  }

  /** Repeats every write whose end is unknown, with its key, until each has an answer that tells. */
  async settle(): Promise<void> {
    const open = this.#entries.filter(({ end }) => end === "unknown").values();
    // Entries are taken from one iterator, each by whoever is free.
    await Promise.all(Array.from({ length: SETTLERS }, () => this.#settleAll(open)));
  }

  async #settleAll(open: Iterable<Entry>): Promise<void> {
    for (const entry of open) {
      if (entry.key === undefined) {
        this.#breaches.push(`${entry.method} ${entry.path} had no end, and has no key to ask with`);
        continue;
      }
      this.#conclude(entry, await this.#patiently(() => this.#askFor(entry)));
      if (entry.end === "unknown") this.#breaches.push(`${entry.method} ${entry.path} never ended`);
    }
  }

  /** Everything that does not agree with the store, in words. Call it after {@link settle}. */
  async breaches(): Promise<string[]> {
    const found = [...this.#breaches];
    const stored = await this.#stored();
    const expected = new Map<string, { nonce: string } | undefined>();
    const counters = new Map<string, number>();
    for (const { effect, end, path } of this.#entries) {
      if (effect.kind === "add") {
        const sum = counters.get(effect.counter) ?? 0;
        counters.set(effect.counter, sum + (end === "applied" ? effect.amount : 0));
      } else if (effect.kind === "create") {
        for (const id of effect.ids) {
          if (end === "applied") expected.set(id, { nonce: effect.nonce });
          else if (stored.get(id)?.nonce === effect.nonce) found.push(`${path}: ${id} is there, told ${end}`);
        }
      } else if (end === "applied") expected.set(effect.id, undefined);
    }
    for (const [id, document] of expected) {
      const nonce = stored.get(id)?.nonce;
      if (nonce !== document?.nonce) found.push(`${id}: holds ${nonce}, acknowledged ${document?.nonce}`);
    }
    for (const [id, sum] of counters) {
      const n = stored.get(id)?.n ?? 0;
      if (n !== sum) found.push(`counter ${id}: is ${n}, acknowledged ${sum}`);
    }
    for (const [id, nonce] of this.#seen) {
      if (expected.has(id) && expected.get(id) === undefined) continue; // deleted since
      if (stored.get(id)?.nonce !== nonce) found.push(`${id}: was shown ${nonce}, which is gone`);
    }
    for (const [id, version] of this.#versions) {
      const now = stored.get(id)?._v;
      if (now !== undefined && now < version) found.push(`${id}: version went back from ${version} to ${now}`);
    }
    return found;
  }

  #nonce(): string {
    return `n${this.#entries.length}`;
  }

  async #write(method: string, path: string, body: unknown, effect: Effect, keyed = true): Promise<End> {
    const key = keyed ? `ledger-${this.#collection}-${this.#entries.length}` : undefined;
    const entry: Entry = { method, path, body, key, effect, end: "unknown" };
    this.#entries.push(entry);
    this.#ends.unknown++;
    this.#conclude(entry, await this.#askFor(entry));
    return entry.end;
  }

  async #ask(...request: Parameters<LedgerSend>): Promise<LedgerAnswer | undefined> {
    const began = performance.now();
    const answer = await this.#send(...request);
    this.#slowest = Math.max(this.#slowest, performance.now() - began);
    return answer;
  }

  /** Asks again, as clients do, while the answer says that it is worth it; the last answer. */
  async #patiently(ask: () => Promise<LedgerAnswer | undefined>): Promise<LedgerAnswer | undefined> {
    for (let tries = 1; ; tries++) {
      const answer = await ask();
      if (answer && !isRetryable(answer)) return answer;
      // A refusal of the repeat tells nothing of the first try.
      if (tries === TRIES) return undefined;
      await wait(RETRY_MS);
    }
  }

  #askFor({ method, path, body, key }: Entry): Promise<LedgerAnswer | undefined> {
    return this.#ask(method, path, body, key);
  }

  #conclude(entry: Entry, answer: LedgerAnswer | undefined): void {
    if (!answer) return;
    if (answer.status < 300) {
      this.#end(entry, "applied");
      this.#noteVersions(answer.body);
      return;
    }
    const outcome = errorOf(answer).details?.outcome;
    if (outcome === "not_applied") this.#end(entry, "not_applied");
    else if (outcome !== "unknown") {
      this.#breaches.push(`${entry.method} ${entry.path}: ${answer.status} without an outcome`);
    }
  }

  #end(entry: Entry, end: End): void {
    this.#ends[entry.end]--;
    this.#ends[end]++;
    entry.end = end;
  }

  #noteVersions(body: unknown): void {
    const { _id, _v, results } = (body ?? {}) as { _id?: string; _v?: number; results?: { id: string; v?: number }[] };
    const told = results ?? (_id === undefined ? [] : [{ id: _id, ...(_v === undefined ? {} : { v: _v }) }]);
    for (const { id, v = 0 } of told) this.#versions.set(id, Math.max(v, this.#versions.get(id) ?? 0));
  }

  async #stored(): Promise<Map<string, { nonce?: string; n?: number; _v: number }>> {
    const found = new Map<string, { nonce?: string; n?: number; _v: number }>();
    let after: string | undefined;
    do {
      const path = `/v1/documents/${this.#collection}/query`;
      const body = { limit: 1000, ...(after === undefined ? {} : { after }) };
      const answer = await this.#patiently(() => this.#send("POST", path, body, undefined));
      if (answer?.status !== 200) throw new Error(`cannot read the store: ${JSON.stringify(answer)}`);
      const page = answer.body as { documents: { _id: string; _v: number }[]; next?: string };
      for (const document of page.documents) found.set(document._id, document);
      after = page.next;
    } while (after !== undefined);
    return found;
  }
}

function errorOf({ body }: LedgerAnswer): { code?: string; details?: { outcome?: unknown } } {
  return ((body ?? {}) as { error?: object }).error ?? {};
}

function isRetryable(answer: LedgerAnswer): boolean {
  return RETRYABLE.has(answer.status) || errorOf(answer).code === "contention";
}

/** Sends over HTTP to wherever the server is now; a cut connection is no answer. */
export function sendTo(url: () => string, serviceKey: string): LedgerSend {
  return async (method, path, body, key) => {
    const headers: Record<string, string> = { authorization: `Bearer ${serviceKey}` };
    if (body !== undefined) headers["content-type"] = "application/json";
    if (key !== undefined) headers["idempotency-key"] = key;
    try {
      // Not fetch, which costs as much again as a server that answers.
      const reply = await request(url() + path, {
        method: method as Dispatcher.HttpMethod,
        headers,
        ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      });
      const text = await reply.body.text();
      return { status: reply.statusCode, body: text === "" ? undefined : JSON.parse(text) };
    } catch {
      return undefined;
    }
  };
}
