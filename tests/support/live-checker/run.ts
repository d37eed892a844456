/** One run: writers and subscribers of a seed on a Galley, until so many commits are made; then the check. */
import { CLOSE, type Reset } from "#protocol/frames";
import { Random } from "../trap-pool.ts";
import { until } from "../until.ts";
import { type CheckInput, type CheckReport, check } from "./check.ts";
import type { CommitLog } from "./commit-log.ts";
import { demand, publish, type Send, writeOne } from "./load.ts";
import { createQuestions, findQuestion } from "./question.ts";
import { openSdkSubscriber, type SdkSubscriber } from "./sdk-subscriber.ts";
import { outrun } from "./slow-reader.ts";
import { Subscriber } from "./subscriber.ts";
import { KEY, NOBODY, type Who, type World } from "./world.ts";

/** A Galley that was set up by load.ts `setUp`, after its log began. */
export interface Checked {
  /** Of the nodes; a client goes to any. */
  readonly urls: () => readonly string[];
  readonly key: string;
  readonly log: CommitLog;
  readonly send: Send;
}

/** Somebody who can hold sockets. */
export interface Holder {
  readonly who: Who;
  readonly token: string | undefined;
}

export interface RunOptions {
  readonly seed: number;
  readonly commits: number;
  readonly writers?: number;
  readonly sockets?: number;
  /** Clients of the SDK. */
  readonly sdk?: number;
  readonly holders: readonly Holder[];
  /** Goes on from an earlier run of the same log. */
  readonly world?: World;
  /** Beside the writers, from the start; the run goes on until it is over. */
  readonly meanwhile?: (run: { readonly subscribers: readonly Subscriber[] }) => Promise<void>;
  readonly publishes?: number;
  /** Times that a subscriber reads too slowly. */
  readonly outruns?: number;
  /** Of a hundred writes, so many are followed by an act of a subscriber. */
  readonly churn?: number;
  /** Questions that each socket asks at first. */
  readonly questions?: number;
  readonly quietMs?: number;
  readonly resets?: readonly Reset[];
  readonly errors?: readonly string[];
  readonly closes?: readonly number[];
}

const QUIET_MS = 1300;
/** A node computes no more than 20 values a second, and each once a second. */
const VALUE_MS = 60;
const CHURN = 22;

/** Users of their own, beside the key and nobody. */
export async function makeHolders(send: Send, count: number, key: string): Promise<Holder[]> {
  const guests = await Promise.all(
    Array.from({ length: count }, async () => {
      const answer = await demand(send("POST", "/v1/auth/anonymous", {}));
      const { session } = answer as { session: { accessToken: string; user: { id: string } } };
      return { who: session.user.id, token: session.accessToken };
    }),
  );
  return [...guests, { who: KEY, token: key }, { who: NOBODY, token: undefined }];
}

export async function runChecked(checked: Checked, options: RunOptions): Promise<CheckReport> {
  return check(await record(checked, options));
}

/** Runs it, and takes what was written down out of the log. */
export async function record(checked: Checked, options: RunOptions): Promise<CheckInput> {
  const {
    seed,
    commits,
    holders,
    writers = 6,
    sockets = 8,
    publishes = 4,
    outruns = 0,
    churn = CHURN,
    questions = 3,
  } = options;
  const random = new Random(seed);
  const { log, send } = checked;
  const people = holders.flatMap(({ who }) => (who === KEY || who === NOBODY ? [] : [who]));
  const questionFor = createQuestions(people);
  const subscribers = Array.from({ length: sockets }, (_, n) => {
    const own = new Random(seed + 1000 + n);
    const { who, token } = holders[n % holders.length] as Holder;
    return new Subscriber({
      ...{ name: `socket ${n}`, who, token, random: own },
      url: () => own.pick(checked.urls()),
      question: () => questionFor(own),
    });
  });
  const sdk = await openSdk(checked, options.sdk ?? 0);
  for (const subscriber of subscribers) subscriber.connect();
  await until(() => subscribers.every(({ isWelcome }) => isWelcome), 60, "every welcome");
  for (const subscriber of subscribers) for (let i = 0; i < questions; i++) subscriber.askSomething();

  const first = log.commits.length;
  let isOver = options.meanwhile === undefined;
  const over = options.meanwhile?.({ subscribers }).finally(() => {
    isOver = true;
  });
  const made = () => log.commits.length - first;
  let published = 0;
  let outrunSoFar = 0;
  /** Whether so many of those that are spread over the run are due. */
  const isDue = (done: number, all: number) => done < all && made() > ((done + 1) * commits) / (all + 1);
  const life = async (own: Random) => {
    while (made() < commits || !isOver) {
      await writeOne({ send, random: own, people });
      if (random.chance(churn)) random.pick(subscribers).churn();
      if (sdk.length > 0 && random.chance(1)) random.pick(sdk).blink();
      if (isDue(outrunSoFar, outruns)) {
        outrunSoFar++;
        if (!(await outrun(random.pick(subscribers), send))) outrunSoFar--;
      }
      if (isDue(published, publishes)) {
        published++;
        await publish(send, published % 2 === 1 ? 2 : 1);
      }
    }
  };
  await Promise.all(Array.from({ length: writers }, (_, n) => life(new Random(seed + 1 + n))));
  await over;
  await finish(checked, subscribers, sdk, options.quietMs ?? QUIET_MS);
  const { resets, errors, closes = [] } = options;
  return {
    ...{ commits: log.commits.splice(0), orderOf: log.orderOf, transcripts: subscribers },
    ...(options.world && { world: options.world }),
    sdk: sdk.flatMap(({ transcripts }) => transcripts),
    ...(resets && { resets }),
    ...(errors && { errors }),
    closes: outruns > 0 ? [...closes, CLOSE.slow] : closes,
  };
}

async function finish(
  { log }: Checked,
  subscribers: readonly Subscriber[],
  sdk: readonly SdkSubscriber[],
  quietMs: number,
): Promise<void> {
  await log.settled();
  const last = () => log.orderOf(log.commits.at(-1)?.position ?? "") ?? "";
  const isThere = (position: string) => (log.orderOf(position) ?? "") >= last();
  const waiting = new Set(subscribers);
  const values = subscribers.reduce((sum, subscriber) => sum + subscriber.values, 0);
  const silence = quietMs + values * VALUE_MS;
  const areQuiet = () => {
    for (const subscriber of waiting) {
      if (!subscriber.isQuiet(isThere, silence)) continue;
      subscriber.finish();
      waiting.delete(subscriber);
    }
    return waiting.size === 0;
  };
  await until(areQuiet, 60, () => `the end: ${[...waiting][0]?.state}`);
  await until(() => sdk.every(({ isSynced }) => isSynced), 60, "clients of the SDK in step");
  for (const client of sdk) await client.close();
}

/** Half of them hold the key, half are guests. */
function openSdk({ urls, key }: Checked, count: number): Promise<SdkSubscriber[]> {
  const questions = [
    findQuestion("notes", { sort: "n", limit: 10 }),
    findQuestion("notes", { filter: { open: true }, sort: "-_updatedAt", limit: 3 }),
    findQuestion("mixed", { sort: "-a", limit: 1000 }),
  ];
  return Promise.all(
    Array.from({ length: count }, async (_, n) => {
      const as = n % 2 === 0 ? { serviceKey: key, who: KEY } : undefined;
      const client = await openSdkSubscriber(`sdk ${n}`, urls()[n % urls().length] as string, as);
      for (const question of questions) client.watch(question);
      return client;
    }),
  );
}
