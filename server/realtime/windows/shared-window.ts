import { GalleyError } from "#protocol/errors";
import type { Reset } from "#protocol/frames";
import type { Log } from "../../log.ts";
import type { BoundQuestion, Viewer, Window, WindowState } from "../contract.ts";
import { Viewers } from "./viewers.ts";
import type { WindowCounters } from "./window-counters.ts";

/** What every window of a node shares with the others. */
export interface WindowSurroundings {
  readonly log: Log;
  /** Milliseconds before one that nobody watches ends. */
  readonly linger: number;
  /** Somebody shows it no more. */
  left(window: SharedWindow, viewer: Viewer): void;
  /** It is known no more. */
  ended(window: SharedWindow): void;
  readonly counters: Pick<WindowCounters, "matches" | "serialisations" | "resets">;
}

/**
 * What a question's viewers share, as long as there are any, and a while longer:
 *
 *   loading ── read, and caught up ──> live ── nobody watches for a while ──> ended
 *      ^  │                             │
 *      │  └── cannot be read, or nobody waits any more ──> ended
 *      └───────────── reset ────────────┘
 *
 * Live is also what lacks rows, or is stale: it is read again meanwhile.
 */
export abstract class SharedWindow implements Window {
  readonly name: string;
  abstract readonly question: BoundQuestion;
  protected readonly viewers = new Viewers();
  readonly #surroundings: WindowSurroundings;
  #resets = 0;
  #state: "loading" | "live" | "ended" = "loading";
  #lingering: NodeJS.Timeout | undefined;

  constructor(name: string, surroundings: WindowSurroundings) {
    this.name = name;
    this.#surroundings = surroundings;
  }

  get isLive(): boolean {
    return this.#state === "live";
  }

  get hasEnded(): boolean {
    return this.#state === "ended";
  }

  /** How often it was reset. */
  get resets(): number {
    return this.#resets;
  }

  get hasViewers(): boolean {
    return this.viewers.size > 0;
  }

  /** Whose work its reads are: of its first viewers. */
  get askers(): Iterable<string> {
    return this.viewers.askers;
  }

  abstract snapshot(): WindowState | Promise<void>;
  /** Begins to read: at first, and after a reset. */
  abstract load(): void;
  /** Somebody else waits for what is read, if something is. */
  protected abstract also(asker: string): void;
  /** Stops what is under way and forgets what it holds. */
  protected abstract clear(): void;

  add(viewer: Viewer): void {
    clearTimeout(this.#lingering);
    this.viewers.add(viewer);
    this.also(viewer.asker.name);
    if (this.isLive) this.tellReady();
  }

  leave(viewer: Viewer): void {
    if (!this.viewers.delete(viewer) || this.#state === "ended") return;
    this.#surroundings.left(this, viewer);
    if (this.hasViewers) return;
    if (this.#state === "loading") this.end();
    else {
      clearTimeout(this.#lingering);
      this.#lingering = setTimeout(() => this.end(), this.#surroundings.linger).unref();
    }
  }

  /** What it held is not to be built on. */
  reset(reason: Reset): void {
    if (this.#state === "ended") return;
    this.#surroundings.counters.resets[reason]++;
    this.#resets++;
    this.#state = "loading";
    this.clear();
    this.viewers.reset(reason);
    if (this.hasViewers) this.load();
    else this.end();
  }

  end(): void {
    if (this.#state === "ended") return;
    this.#state = "ended";
    clearTimeout(this.#lingering);
    this.clear();
    this.#surroundings.ended(this);
  }

  /** Ends with what its viewers may be told of the error. */
  protected fail(error: unknown): void {
    if (!(error instanceof GalleyError)) this.#surroundings.log.error({ err: error }, "a live query could not be read");
    const told = error instanceof GalleyError ? error : new GalleyError("internal", "the query failed", {}, error);
    this.end();
    this.viewers.failed(this.question.told(told));
  }

  protected becomeLive(): void {
    this.#state = "live";
    this.tellReady();
  }

  protected tellReady(): void {
    this.viewers.readySoon((viewer) => this.isLive && this.mayShow(viewer));
  }

  /** Whether what it is live with is fresh enough for one who has just come. */
  protected mayShow(_viewer: Viewer): boolean {
    return true;
  }
}
