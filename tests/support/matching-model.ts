import type { Node } from "#protocol/ast";
import { Faults } from "#protocol/errors";
import { parseFilter } from "#protocol/filter";
import { compileFilter } from "#protocol/match";
import { and, normalise } from "#protocol/normalise";
import { encodeValue, type ObjectValue } from "#protocol/values";
import { createMatching, type Watcher } from "../../server/realtime/matching/matching.ts";
import { randomDocument, randomFilter } from "./filter-generator.ts";
import type { Random } from "./trap-pool.ts";

/** Windows with their filters, and which documents each holds. */
export class MatchingModel {
  readonly #random: Random;
  readonly #matching = createMatching<TriedWindow>();
  readonly #windows: TriedWindow[] = [];
  readonly #faults: string[] = [];
  /** Each is written again and again, as what windows there are changes. */
  readonly #documents: readonly ObjectValue[];
  #residual = 0;
  #joined = 0;

  constructor(random: Random) {
    this.#random = random;
    this.#documents = Array.from({ length: 150 }, () => randomDocument(random));
  }

  join(): void {
    let filter = filterOf(randomFilter(this.#random, 3));
    // As a rule joins a question's filter.
    if (this.#random.chance(30)) filter = and(filter, filterOf(randomFilter(this.#random, 2)));
    const window = { collection: "c", filter, accepts: compileFilter(filter), held: new Set<string>() };
    const before = this.#matching.residual;
    this.#matching.add(window);
    this.#residual += this.#matching.residual - before;
    this.#joined++;
    this.#windows.push(window);
  }

  leave(): void {
    for (const window of this.#random.some(this.#windows, 1)) {
      this.#windows.splice(this.#windows.indexOf(window), 1);
      this.#matching.remove(window, window.held);
    }
  }

  change(counts: { documents: number; found: number; matches: number; tried: number }): void {
    counts.documents++;
    const id = `d${this.#random.below(30)}`;
    const next = this.#random.chance(10) ? undefined : this.#random.pick(this.#documents);
    const found = new Set(this.#matching.touched("c", id, next));
    counts.found += found.size;
    counts.tried += this.#windows.length;
    for (const window of this.#windows) {
      const accepted = next !== undefined && window.accepts(next);
      const held = window.held.has(id);
      if (accepted) counts.matches++;
      if ((accepted || held) !== found.has(window) && (accepted || held || !next)) {
        this.#faults.push(`${JSON.stringify(window.filter)} for ${next ? encodeValue(next) : "a deletion"}`);
      }
      this.#follow(window, id, accepted, held);
    }
  }

  addTo(counts: { residual: number; windows: number }, faults: string[], name: string): void {
    counts.residual += this.#residual;
    counts.windows += this.#joined;
    if (this.#faults[0]) faults.push(`${name}: ${this.#faults[0]}`);
    for (const window of this.#windows) this.#matching.remove(window, window.held);
    if (this.#matching.residual !== 0) faults.push(`${name}: residual windows remain`);
  }

  /** As lists do: not all that match are held, since bounds leave some out. */
  #follow(window: TriedWindow, id: string, accepted: boolean, held: boolean): void {
    if (accepted && !held && this.#random.chance(70)) {
      window.held.add(id);
      this.#matching.hold(window, id);
    } else if (held && !accepted) {
      window.held.delete(id);
      this.#matching.release(window, id);
    }
  }
}

interface TriedWindow extends Watcher {
  readonly accepts: (document: ObjectValue) => boolean;
  readonly held: Set<string>;
}

export function filterOf(input: object): Node {
  const faults = new Faults();
  const node = normalise(parseFilter(input, "filter", faults));
  faults.throwIfAny();
  return node;
}
