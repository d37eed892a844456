/** One end of a live socket without a socket: what a session sends is kept and folded as a client would. */
import { applyDelta } from "#protocol/delta";
import type { LiveSession, Outlet } from "../../server/realtime/contract.ts";
import { until } from "./until.ts";

// Tests look into frames by path; what is not there fails their assertion.
// biome-ignore lint/suspicious/noExplicitAny: see above
type Json = any;

export type Row = { readonly _id: string; readonly _v: number } & Json;

/** What a client holds of a subscription. */
export interface Result {
  rows: readonly Row[];
  value: Json;
  more: boolean;
  short: boolean;
  shape: string;
  window: string;
  position: string;
  /** Why it was told anew, each time. */
  readonly resets: string[];
  error: Json;
}

export class LiveOutlet implements Outlet {
  readonly frames: Json[] = [];
  /** Writes, each of which held so many frames. */
  readonly writes: number[] = [];
  readonly results = new Map<number, Result>();
  /** What a client would have to complain of. */
  readonly complaints: string[] = [];
  closed: { readonly code: number; readonly reason: string } | undefined;
  unsent = { bytes: 0, messages: 0 };
  position = "";
  #waiting: { readonly below: number; readonly then: () => void }[] = [];
  #session: LiveSession | undefined;
  #next = 1;

  /** @param open a service's, or one with its caller bound */
  static open(open: (outlet: Outlet) => LiveSession): LiveOutlet {
    const outlet = new LiveOutlet();
    outlet.#session = open(outlet);
    return outlet;
  }

  get session(): LiveSession {
    if (this.#session) return this.#session;
    throw new Error("expects an open session");
  }

  say(frame: unknown): void {
    this.session.receive(typeof frame === "string" ? frame : JSON.stringify(frame));
  }

  hello(token?: string, more: object = {}): void {
    this.say({ t: "hello", v: 1, ...(token !== undefined && { token }), ...more });
  }

  /** @returns the subscription's number */
  sub(q: object, more: object = {}): number {
    const s = this.#next++;
    this.say({ t: "sub", s, q, ...more });
    return s;
  }

  find(collection: string, find: object = {}, more: object = {}): number {
    return this.sub({ collection, find }, more);
  }

  of(s: number): Result {
    const known = this.results.get(s);
    if (known) return known;
    const made = {
      ...{ rows: [], value: undefined, more: false, short: false, shape: "", window: "", position: "", resets: [] },
      error: undefined,
    };
    this.results.set(s, made);
    return made;
  }

  ids(s: number): string[] {
    return this.of(s).rows.map(({ _id }) => _id);
  }

  all(t: string): Json[] {
    return this.frames.filter((frame) => frame.t === t);
  }

  /** Waits for so many frames of a kind. */
  async got(t: string, count = 1): Promise<Json> {
    await until(
      () => this.closed !== undefined || this.all(t).length >= count,
      10,
      () => `${count} ${t} of ${this.told()}`,
    );
    return this.all(t)[count - 1];
  }

  async welcomed(): Promise<void> {
    await this.got("welcome");
  }

  async answered(s: number): Promise<Result> {
    const result = this.of(s);
    const isTold = () => result.window !== "" || result.error !== undefined || this.closed !== undefined;
    await until(isTold, 10, () => `an answer to ${s} among ${this.told()}`);
    return result;
  }

  /** Everything that came, for messages of tests. */
  told(): string {
    return `${this.frames.map((frame) => JSON.stringify(frame)).join("\n")}${this.closed ? ` ${this.closed.code}` : ""}`;
  }

  /** The network takes everything again. */
  drain(): void {
    this.unsent = { bytes: 0, messages: 0 };
    for (const { then } of this.#waiting.splice(0)) then();
  }

  send(frames: readonly (Buffer | string)[]): void {
    if (this.closed) this.complaints.push("sent after the close");
    this.writes.push(frames.length);
    for (const frame of frames) this.#take(JSON.parse(typeof frame === "string" ? frame : textOf(frame)));
  }

  drained(below: number, then: () => void): void {
    this.#waiting.push({ below, then });
  }

  close(code: number, reason: string): void {
    this.closed = { code, reason };
    queueMicrotask(() => this.session.end());
  }

  #take(frame: Json): void {
    this.frames.push(frame);
    if (frame.pos !== undefined) {
      if (sameHistory(frame.pos, this.position) && frame.pos < this.position)
        this.complaints.push("a position went back");
      this.position = frame.pos;
    }
    switch (frame.t) {
      case "snapshot":
      case "value":
      case "current": {
        const result = this.of(frame.s);
        if (result.error) this.complaints.push(`${frame.t} after the error of ${frame.s}`);
        if (frame.t === "snapshot") result.rows = frame.rows;
        if (frame.t === "value") result.value = frame.value;
        Object.assign(result, {
          window: frame.w,
          more: frame.more,
          short: frame.short ?? false,
          shape: frame.shape,
          position: frame.pos,
        });
        if (frame.reset !== undefined) result.resets.push(frame.reset);
        break;
      }
      case "commit":
        for (const [window, change] of Object.entries<Json>(frame.w)) this.#change(window, change, frame.pos);
        break;
      case "error":
        if (frame.s !== undefined) this.of(frame.s).error = frame.error;
    }
  }

  #change(window: string, change: Json, position: string): void {
    const shown = [...this.results.values()].filter((result) => result.window === window && !result.error);
    if (shown.length === 0) this.complaints.push(`a change of ${window}, which nothing shows`);
    for (const result of shown) {
      if ("value" in change) result.value = change.value;
      else {
        if (change.prev > result.position) this.complaints.push(`a gap before ${position}`);
        result.rows = applyDelta(result.rows, change);
        result.more = change.more ?? result.more;
        result.short = change.short ?? result.short;
      }
      result.position = position;
    }
  }
}

function sameHistory(one: string, other: string): boolean {
  return one.split(".")[0] === other.split(".")[0];
}

/** The text of a whole frame as it goes over the wire. */
function textOf(frame: Buffer): string {
  const length = (frame[1] ?? 0) & 0x7f;
  const head = length < 126 ? 2 : length === 126 ? 4 : 10;
  return frame.subarray(head).toString("utf8");
}
