/**
 * One client and one server, a network between them whose every message a seed delays, and writes of the client and of others:
 * what live results show of own writes, at each state, against plain code.
 */
import { setImmediate as nextTurn } from "node:timers/promises";
import { type Client, createClient, type LiveState } from "@galley/sdk";
import { Random } from "../trap-pool.ts";
import { Judge, type Own } from "./judge.ts";
import { Network, type Sent } from "./network.ts";
import { type Change, type Fields, type Item, type Operation, QUESTIONS, type Question } from "./stored.ts";

interface Schema {
  items: Fields;
}

/** Counters are only ever counted up, by whom it may be; others come and go. */
const COUNTERS = ["c0", "c1"];
const OTHERS = ["d0", "d1", "d2", "d3"];
const TAGS = ["a", "b", "c"];
const EVENTS = 40;

export interface Report {
  events: number;
  states: number;
  readonly faults: string[];
}

export async function runSession(seed: number, report: Report): Promise<void> {
  const session = new Session(seed, report);
  try {
    await session.run();
  } catch (error) {
    report.faults.push(`seed ${seed}: ${error instanceof Error ? error.stack : error}`);
  } finally {
    session.close();
  }
}

class Session {
  readonly #random: Random;
  readonly #seed: number;
  readonly #report: Report;
  readonly #network = new Network();
  readonly #db: Client<Schema>;
  readonly #own: Own[] = [];
  readonly #judges: Judge[] = [];
  /** Which write a request belongs to: requests of one document leave in the order of the calls. */
  readonly #served = new Map<Sent, Own>();
  #made = 0;

  constructor(seed: number, report: Report) {
    this.#seed = seed;
    this.#random = new Random(seed);
    this.#report = report;
    const { fetch, WebSocket } = this.#network;
    this.#db = createClient<Schema>({ url: "http://galley.test", fetch, WebSocket });
    for (const id of [...COUNTERS, ...OTHERS.slice(0, 2)]) {
      this.#network.stored.commit([{ op: "create", id, fields: this.#fields() }]);
    }
  }

  async run(): Promise<void> {
    const random = this.#random;
    const count = 1 + random.below(QUESTIONS.length);
    for (const question of random.some(QUESTIONS, count)) this.#watch(question);
    await this.#until(() => this.#network.socket !== undefined);
    // What shows own writes is asked for before the socket is: here it is there, too.
    await import("../../../sdk/live/optimistic.ts");
    await nextTurn();
    for (let i = 0; i < EVENTS; i++) {
      this.#event();
      this.#report.events++;
      await nextTurn();
    }
    await this.#rest();
  }

  close(): void {
    this.#db.close();
  }

  #watch(question: Question): void {
    const judge = new Judge(question, {
      ...{ stored: this.#network.stored, own: this.#own, counters: COUNTERS },
      fault: (text) => void this.#report.faults.push(`seed ${this.#seed}, ${text}`),
    });
    this.#judges.push(judge);
    this.#db
      .collection("items")
      .find(question.filter as never, question.options as never)
      .live((state) => {
        this.#report.states++;
        judge.told(state as unknown as LiveState<unknown[]>);
      });
  }

  #event(): void {
    const random = this.#random;
    const kind = random.below(100);
    if (kind < 22) this.#write();
    else if (kind < 34) this.#others();
    else if (kind < 54) this.#serve();
    else if (kind < 70) this.#answer();
    else if (kind < 92) this.#network.deliverFrame();
    else if (kind < 94) this.#network.drop();
    else if (kind < 96) this.#network.beat();
    else this.#network.open();
  }

  #fields(): Fields {
    const random = this.#random;
    return { n: random.below(6), rank: random.below(4), tag: random.pick(TAGS), marks: [] };
  }

  #operation(taken: Set<string>): Operation | undefined {
    const random = this.#random;
    const kind = random.below(100);
    const fresh = kind >= 40 && kind < 55;
    const id = fresh ? `e${++this.#made}` : random.pick(kind < 40 ? COUNTERS : OTHERS);
    // Some batches touch a document twice.
    if (taken.has(id) && random.chance(60)) return undefined;
    taken.add(id);
    if (kind < 30) return { op: "inc", id, by: 1 + random.below(3) };
    if (kind < 35) return { op: "push", id, by: kind };
    if (kind < 40) return { op: "rank", id, by: random.below(4) };
    if (fresh) return { op: "create", id, fields: this.#fields() };
    if (kind < 65) return { op: "set", id, fields: this.#fields() };
    if (kind < 72) return { op: "tag", id, tag: random.pick(TAGS) };
    if (kind < 80) return { op: "inc", id, by: 1 };
    if (kind < 88) return { op: "rank", id, by: random.below(4) };
    if (kind < 93) return { op: "create", id, fields: this.#fields() };
    return { op: "delete", id };
  }

  #operations(): Operation[] {
    const taken = new Set<string>();
    const count = this.#random.chance(25) ? 2 + this.#random.below(2) : 1;
    return Array.from({ length: count }, () => this.#operation(taken)).filter((one) => one !== undefined);
  }

  #write(): void {
    const operations = this.#operations();
    if (operations.length === 0) return;
    const own: Own = { operations, stage: "called", isAnswered: false, isToldWhole: false, versions: new Map() };
    this.#own.push(own);
    this.#send(operations).then(
      () => {
        setImmediate(() => {
          own.stage = "ended";
        });
      },
      () => {
        setImmediate(() => {
          own.stage = "ended";
        });
      },
    );
  }

  #send(operations: readonly Operation[]): Promise<unknown> {
    const items = this.#db.collection("items");
    const [only] = operations as [Operation];
    if (operations.length > 1) {
      return this.#db.batch((b) => {
        const batch = b.collection("items");
        for (const one of operations) {
          const { op, id } = one;
          if (op === "create") batch.create({ _id: id, ...one.fields });
          else if (op === "set") batch.set(id, one.fields);
          else if (op === "delete") batch.delete(id);
          else batch.update(id, changeOf(one));
        }
      });
    }
    switch (only.op) {
      case "create":
        return items.create({ _id: only.id, ...only.fields });
      case "set":
        return items.set(only.id, only.fields);
      case "delete":
        return items.delete(only.id);
      default:
        return items.update(only.id, changeOf(only));
    }
  }

  #others(): void {
    const operations = this.#operations();
    if (operations.length > 0 && this.#network.stored.commit(operations) === undefined) this.#network.committed();
  }

  /** The server takes a request, and commits or refuses it; the answer is on its way. */
  #serve(): void {
    const waiting = this.#network.requests.filter((sent) => !this.#served.has(sent));
    if (waiting.length === 0) return;
    const sent = this.#random.pick(waiting);
    const own = this.#own.find((one) => one.stage === "called" && isOf(sent, one.operations));
    if (!own) throw new Error(`nobody has sent ${sent.method} ${sent.path}`);
    this.#served.set(sent, own);
    const { stored } = this.#network;
    const code = this.#random.chance(15) ? "permission_denied" : stored.commit(own.operations);
    own.stage = code === undefined ? "stored" : "refused";
    // Who may not read what they have written is told its version alone, as in a batch.
    own.isToldWhole = own.operations.length === 1 && !this.#random.chance(15);
    sent.answer = code === undefined ? answerOf(own, stored) : refusal(code);
    if (code === undefined) {
      for (const { id } of own.operations) {
        const item = stored.items.get(id);
        if (item) own.versions.set(id, item._v);
      }
      this.#network.committed();
    }
  }

  #answer(): void {
    const answered = this.#network.requests.filter(({ answer }) => answer);
    if (answered.length > 0) this.#deliver(this.#random.pick(answered));
  }

  #deliver(sent: Sent): void {
    const { requests } = this.#network;
    requests.splice(requests.indexOf(sent), 1);
    const own = this.#served.get(sent);
    if (own) own.isAnswered = true;
    if (own?.stage === "refused") {
      own.stage = "told";
      for (const judge of this.#judges) judge.mayFall = true;
    }
    sent.deliver(sent.answer as Response);
  }

  /** Everything arrives; then what is shown is what is stored. */
  async #rest(): Promise<void> {
    const network = this.#network;
    await this.#until(() => {
      network.open();
      while (network.requests.some((sent) => !this.#served.has(sent))) this.#serve();
      for (const sent of [...network.requests]) this.#deliver(sent);
      while (network.frames.length > 0) network.deliverFrame();
      return this.#own.every(({ stage }) => stage === "ended") && this.#judges.every(({ unrest }) => !unrest);
    });
  }

  async #until(holds: () => boolean): Promise<void> {
    const end = performance.now() + 10_000;
    while (!holds()) {
      if (performance.now() > end)
        throw new Error(`comes to no rest: ${this.#judges.map(({ unrest }) => unrest).join("; ")}`);
      await new Promise((resolve) => setTimeout(resolve, 1));
    }
  }
}

function changeOf(operation: Change): object {
  switch (operation.op) {
    case "inc":
      return { $inc: { n: operation.by } };
    case "push":
      return { $push: { marks: operation.by } };
    case "rank":
      return { rank: operation.by };
    case "tag":
      return { tag: operation.tag };
  }
}

/** Whether a request is what the SDK makes of a write: batches by their documents, others by theirs. */
function isOf({ path, body, method }: Sent, operations: readonly Operation[]): boolean {
  const [only] = operations as [Operation];
  if (path === "batch") {
    const ids = (body as { operations: { id?: string; document?: { _id?: string } }[] }).operations.map(
      ({ id, document }) => id ?? document?._id,
    );
    return operations.length > 1 && ids.join() === operations.map(({ id }) => id).join();
  }
  if (operations.length > 1) return false;
  if (method === "POST") return only.op === "create" && (body as Item)._id === only.id;
  return path.endsWith(`/${only.id}`) && only.op !== "create";
}

function answerOf({ operations, isToldWhole }: Own, stored: Network["stored"]): Response {
  const { position, items } = stored;
  const headers = { "x-galley-position": position };
  if (operations.length > 1) {
    const results = operations.map(({ id }) => ({ id, v: items.get(id)?._v }));
    return Response.json({ results, position }, { headers });
  }
  const item = items.get((operations[0] as Operation).id);
  const told = item && !isToldWhole ? { _id: item._id, _v: item._v } : item;
  return told ? Response.json(told, { headers }) : new Response(null, { status: 204, headers });
}

function refusal(code: string): Response {
  const status = { already_exists: 409, not_found: 404, permission_denied: 403 }[code] ?? 400;
  return Response.json({ error: { code, message: code, requestId: "r" } }, { status });
}
