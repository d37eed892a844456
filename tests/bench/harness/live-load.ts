/** Writes that many sockets are sent, and whether each was sent every one of them, once, in one order. */
import { setTimeout as wait } from "node:timers/promises";
import { until } from "../../support/until.ts";
import { Connection } from "./connection.ts";
import { Crowd } from "./crowd.ts";
import { KnownFrames } from "./known-frames.ts";
import { type Latencies, type LoadRequest, spreadOf } from "./load.ts";
import { cpuSeconds, type Served } from "./process.ts";

export interface Audience {
  readonly server: Served;
  /** Where it is written, if that is another one. */
  readonly writer?: Served;
  readonly sockets: number;
  readonly says: (n: number) => readonly object[];
  /** What each is answered before it may be counted on. */
  readonly ready: string;
  /** The write of a number; what sockets are sent has it as `"seq":<number>`. */
  readonly write: (seq: number) => LoadRequest;
}

export interface Delivered extends Latencies {
  readonly deliveries: number;
  readonly cpu: number;
  readonly seconds: number;
  readonly wrong: number;
}

const SEQ = /"seq":(\d+)/;
const WAIT = 120;

/** Sockets that are all sent the same. */
export class Listeners {
  readonly crowd: Crowd;
  readonly #audience: Audience;
  readonly #counts: Uint32Array;
  /** What each was sent, and in what order, as one number. */
  readonly #orders: Int32Array;
  readonly #latencies: number[] = [];
  /** Writes that not everybody was sent yet. */
  readonly #pending = new Map<number, { readonly due: number; left: number }>();
  #sent = 0;
  /** The first ones are not looked at. */
  readonly #skipped: number;

  private constructor(audience: Audience, crowd: Crowd, seen: Seen, skipped: number) {
    this.#audience = audience;
    this.crowd = crowd;
    this.#counts = seen.counts;
    this.#orders = seen.orders;
    this.#skipped = skipped;
    seen.told = (n, seq) => this.#told(n, seq);
  }

  /** @param skipped so many of the first are not looked at */
  static async open(audience: Audience, skipped = 0): Promise<Listeners> {
    const { server, sockets, says, ready } = audience;
    const seen: Seen = { counts: new Uint32Array(sockets), orders: new Int32Array(sockets), told: () => {} };
    const isReady = new Uint8Array(sockets);
    let open = 0;
    const known = new KnownFrames((text) => Number(SEQ.exec(text)?.[1] ?? Number.NaN));
    const crowd = await Crowd.open({
      ...{ url: server.url, count: sockets, says },
      take(n, bytes, start, end) {
        if (isReady[n] === 1) seen.told(n, known.of(bytes, start, end));
        else if (bytes.toString("latin1", start, Math.min(end, start + 24)).includes(ready)) {
          isReady[n] = 1;
          open++;
        }
      },
    });
    await until(() => open === sockets, WAIT, `${sockets} sockets that are answered`);
    return new Listeners(audience, crowd, seen, skipped);
  }

  /** As many as are answered. @param inFlight writes at once */
  async flood(seconds: number, inFlight: number): Promise<Delivered> {
    const end = performance.now() + seconds * 1000;
    return this.#measure(inFlight, async (next) => {
      while (performance.now() < end) await next(performance.now());
    });
  }

  /** So many a second, each due at its time. */
  async pace(seconds: number, perSecond: number): Promise<Delivered> {
    const began = performance.now();
    const total = Math.max(1, Math.floor(seconds * perSecond));
    let n = 0;
    return this.#measure(IN_FLIGHT, async (next) => {
      while (n < total) {
        const due = began + (n++ * 1000) / perSecond;
        const early = due - performance.now();
        if (early > 0) await wait(early);
        await next(due);
      }
    });
  }

  close(): Promise<void> {
    return this.crowd.close();
  }

  async #measure(
    connections: number,
    run: (next: (due: number) => Promise<void>) => Promise<void>,
  ): Promise<Delivered> {
    const { server, writer = server, write, sockets } = this.#audience;
    const first = this.#sent;
    const seen = sockets - this.#skipped;
    const before = this.#counts[this.#skipped] as number;
    let wrong = 0;
    this.#latencies.length = 0;
    this.#pending.clear();
    const cpu = cpuSeconds(server.pid);
    const began = performance.now();
    const opened = Array.from({ length: connections }, () => new Connection(writer.url));
    await Promise.all(
      opened.map((connection) =>
        run(async (due) => {
          const seq = this.#sent++;
          this.#pending.set(seq, { due, left: seen });
          const { status } = await connection.send(write(seq));
          if (status >= 300) wrong++;
        }),
      ),
    );
    // What was lost is not waited for for ever.
    await until(() => this.#pending.size === 0, WAIT).catch(() => {});
    const seconds = (performance.now() - began) / 1000;
    for (const connection of opened) connection.close();
    const sent = this.#sent - first;
    const deliveries = this.#latencies.length;
    return {
      ...spreadOf(this.#latencies),
      ...{ deliveries, seconds, cpu: Math.max(cpuSeconds(server.pid) - cpu, 0.005) },
      wrong: wrong + this.#wrong(before + sent, seen * sent),
    };
  }

  /** How many sockets were sent too much or too little, or in an order of their own. */
  #wrong(count: number, deliveries: number): number {
    const order = this.#orders[this.#skipped];
    let wrong = this.#pending.size + (this.#latencies.length === deliveries ? 0 : 1);
    for (let n = this.#skipped; n < this.#counts.length; n++) {
      if (this.#counts[n] !== count || this.#orders[n] !== order) wrong++;
    }
    return wrong;
  }

  #told(n: number, seq: number): void {
    if (n < this.#skipped || Number.isNaN(seq)) return;
    this.#counts[n] = (this.#counts[n] as number) + 1;
    this.#orders[n] = Math.imul(this.#orders[n] as number, 31) + seq + 1;
    const pending = this.#pending.get(seq);
    if (!pending) return;
    this.#latencies.push(performance.now() - pending.due);
    if (--pending.left === 0) this.#pending.delete(seq);
  }
}

const IN_FLIGHT = 16;

interface Seen {
  readonly counts: Uint32Array;
  readonly orders: Int32Array;
  told: (n: number, seq: number) => void;
}
