import type { World } from "./world.ts";

export interface Fault {
  /** The position, as it compares. */
  readonly at: string;
  readonly text: string;
}

/** What was found to be wrong, the first of it first. */
export class FaultList {
  readonly #world: World;
  readonly #found: Fault[] = [];

  constructor(world: World) {
    this.#world = world;
  }

  add(name: string, text: string, at: string = this.#world.order): void {
    this.#found.push({ at, text: `at ${at}, ${name}: ${text}` });
  }

  get texts(): readonly string[] {
    return [...this.#found].sort((a, b) => (a.at < b.at ? -1 : a.at > b.at ? 1 : 0)).map(({ text }) => text);
  }
}
