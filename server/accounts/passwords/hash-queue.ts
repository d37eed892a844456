import { GalleyError } from "#protocol/errors";

/** Whose hash waits: what its bounds are counted by. */
export interface Waiting {
  /** The account that is tried, whether there is one or not. */
  readonly account: string;
  /** The network that it is tried from; device.ts `networkOf`. */
  readonly network: string;
}

/** Jobs that keep a core busy each, a few at once and in the order in which they came; accounts.md 3.4. */
export interface HashQueue {
  /**
   * Runs a job when its turn comes. It ends as the job ends, and harms no other.
   *
   * @throws GalleyError `rate_limited` at once where too many wait already, with `retryAfter` in seconds
   */
  run<T>(who: Waiting, job: () => Promise<T>): Promise<T>;
  /**
   * As `run`, of a job that needs something first: that is done once there is a place, shortly before the job's turn. If it
   * fails, so does the job. So a crowd that comes at once is prepared as fast as it is judged, and in between the event
   * loop is others'.
   */
  runPrepared<P, T>(who: Waiting, prepare: () => Promise<P>, job: (prepared: P) => Promise<T>): Promise<T>;
}

export interface HashQueueOptions {
  /** Cores that this process may use. */
  readonly cores: number;
  /** Threads of libuv's pool, which file reads and token checks need too. */
  readonly poolThreads: number;
}

const MOST_WAITING = 64;
const MOST_OF_AN_ACCOUNT = 2;
const MOST_OF_A_NETWORK = 8;
/** Jobs prepared beside those that run and those handed over: enough that none whose turn has come still has to be. */
const PREPARED_AHEAD = 2;
/** What a job may take on a slow machine; for the advice when to come again. */
const JOB_SECONDS = 0.05;

interface Entry extends Waiting {
  /** Its turn is near. */
  call(): void;
  start(): void;
}

/** What has a place: an entry, unless it started at once. */
interface Place {
  readonly entry?: Entry;
  readonly near: Promise<void>;
  readonly turn: Promise<void>;
}

export function createHashQueue(options: HashQueueOptions): HashQueue {
  const atOnce = hashesAtOnce(options);
  const waiting: Entry[] = [];
  /** Those that were handed over while as many as may be still run: as these end, they begin. */
  const next: Entry[] = [];
  let running = 0;

  function refuse(): never {
    throw new GalleyError("rate_limited", "too many passwords are being checked: try again in a moment", {
      retryAfter: Math.max(1, Math.ceil((waiting.length * JOB_SECONDS) / atOnce)),
      outcome: "not_applied",
    });
  }

  /** Takes a place in the line, or starts at once. */
  function enter({ account, network }: Waiting): Place {
    if (running < atOnce) {
      running++;
      return { near: NOW, turn: NOW };
    }
    const line = [...next, ...waiting];
    const ofAccount = line.filter((entry) => entry.account === account).length;
    const ofNetwork = line.filter((entry) => entry.network === network).length;
    if (line.length >= MOST_WAITING || ofAccount >= MOST_OF_AN_ACCOUNT || ofNetwork >= MOST_OF_A_NETWORK) refuse();
    let call = () => {};
    let start = () => {};
    const near = new Promise<void>((resolve) => {
      call = resolve;
    });
    const turn = new Promise<void>((resolve) => {
      start = resolve;
    });
    const entry = { account, network, call, start };
    waiting.push(entry);
    moveOn();
    return { entry, near, turn };
  }

  /** Hands over as many as may be, and calls those behind them. */
  function moveOn(): void {
    while (next.length < atOnce) {
      const entry = waiting.shift();
      if (!entry) return;
      next.push(entry);
      entry.call();
      entry.start();
    }
    for (const entry of waiting.slice(0, PREPARED_AHEAD)) entry.call();
  }

  /** Whoever ends hands its place on, so that nobody who comes in that moment takes it. */
  function leave(entry?: Entry): void {
    if (!takeOut(waiting, entry) && !takeOut(next, entry) && !next.shift()) running--;
    moveOn();
  }

  async function runPrepared<P, T>(who: Waiting, prepare: () => Promise<P>, job: (prepared: P) => Promise<T>) {
    const { entry, near, turn } = enter(who);
    await near;
    let prepared: P;
    try {
      prepared = await prepare();
    } catch (error) {
      leave(entry);
      throw error;
    }
    await turn;
    return ended(entry, () => job(prepared));
  }

  async function ended<T>(entry: Entry | undefined, job: () => Promise<T>): Promise<T> {
    try {
      return await job();
    } finally {
      leave(entry);
    }
  }

  return {
    async run(who, job) {
      const { entry, turn } = enter(who);
      await turn;
      return ended(entry, job);
    },
    runPrepared,
  };
}

const NOW = Promise.resolve();

/** @returns whether it was there */
function takeOut(line: Entry[], entry: Entry | undefined): boolean {
  const at = entry ? line.indexOf(entry) : -1;
  if (at >= 0) line.splice(at, 1);
  return at >= 0;
}

/** The event loop keeps a core, the pool two threads. A number that could not be read, as of a variable, gives one. */
export function hashesAtOnce({ cores, poolThreads }: HashQueueOptions): number {
  const most = Math.floor(Math.min(cores - 1, poolThreads - 2));
  return most >= 1 ? most : 1;
}
