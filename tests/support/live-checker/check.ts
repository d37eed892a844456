/**
 * The live checker (promises.md P5 to P9, T6): transcripts of sockets against the commits of the store. At every position
 * that a socket has reached, each of its results must be what plain code makes of the documents and rights there.
 */
import { setImmediate as nextTurn } from "node:timers/promises";
import type { Reset } from "#protocol/frames";
import { CheckedSdk, type SdkTranscript } from "./checked-sdk.ts";
import { CheckedSocket, type Tally } from "./checked-socket.ts";
import type { LoggedCommit } from "./commit-log.ts";
import { FaultList } from "./faults.ts";
import type { Transcript } from "./transcript.ts";
import { World } from "./world.ts";

export interface CheckInput {
  readonly commits: readonly LoggedCommit[];
  readonly orderOf: (position: string) => string | undefined;
  readonly transcripts: readonly Transcript[];
  readonly sdk?: readonly SdkTranscript[];
  /** Goes on from there, where an earlier part of the same log was checked. */
  readonly world?: World;
  /** Why results may be told anew, beside rights, drops and resuming. */
  readonly resets?: readonly Reset[];
  /** Errors that subscriptions may end with, beside refusals that rights explain. */
  readonly errors?: readonly string[];
  readonly closes?: readonly number[];
}

export interface CheckReport {
  /** In words, by position. */
  readonly faults: readonly string[];
  readonly tally: Tally;
  readonly commits: number;
  readonly states: number;
}

/** Closes that clients of the checker bring about themselves. */
const OWN_CLOSES = [1000, 1005, 1006];

export function check(input: CheckInput): CheckReport {
  const steps = checkSteps(input);
  for (;;) {
    const step = steps.next();
    if (step.done) return step.value;
  }
}

/** Milliseconds for which a check beside other work keeps the others waiting. */
const TURN_MS = 8;

/** The same, in turns: other work goes on beside it. */
export async function checkBeside(input: CheckInput): Promise<CheckReport> {
  const steps = checkSteps(input);
  for (let since = performance.now(); ; ) {
    const step = steps.next();
    if (step.done) return step.value;
    if (performance.now() - since < TURN_MS) continue;
    await nextTurn();
    since = performance.now();
  }
}

/** A step is a commit. */
function* checkSteps(input: CheckInput): Generator<undefined, CheckReport> {
  const { commits, orderOf, transcripts, sdk = [], resets = [], errors = [], closes = [] } = input;
  const world = input.world ?? new World(orderOf);
  const faults = new FaultList(world);
  const tally: Tally = {
    frames: 0,
    changes: 0,
    answers: 0,
    resumed: 0,
    sockets: 0,
    resets: {},
    closes: {},
    errors: {},
  };
  const parts = {
    ...{ world, faults, tally, resets: new Set(resets), errors: new Set(errors) },
    closes: new Set([...OWN_CLOSES, ...closes]),
  };
  const sockets = transcripts.map((transcript) => new CheckedSocket(transcript, parts));
  const watchers = sdk.map((transcript) => new CheckedSdk(transcript, { world, faults }));
  const readers = [...sockets, ...watchers];
  for (const commit of commits) {
    const order = orderOf(commit.position);
    for (const reader of readers) reader.advance(order);
    world.apply(commit);
    yield;
  }
  for (const reader of readers) reader.advance(undefined);
  for (const reader of readers) reader.end();
  const states = sdk.reduce((sum, { events }) => sum + events.length, 0);
  return { faults: faults.texts, tally, commits: commits.length, states };
}
