import type { GalleyError } from "#protocol/errors";
import type { IndexDefinition } from "../document-store.ts";
import { tooManyCandidates } from "../query-refusals.ts";

/** Counts the documents that a query looked at, and stops it at its budget. */
export class Expense {
  examined = 0;
  readonly #budget: number;
  #most: number;
  readonly #advise: () => IndexDefinition | undefined;

  /** @param advise finds the index that would have helped, asked only if the budget is not enough */
  constructor(most: number, advise: () => IndexDefinition | undefined) {
    this.#budget = most;
    this.#most = most;
    this.#advise = advise;
  }

  /** Documents that may still be looked at. */
  get left(): number {
    return Math.max(0, this.#most - this.examined);
  }

  /** Gives the whole budget once more, to a plan that takes over. */
  renew(): void {
    this.#most = this.examined + this.#budget;
  }

  /** @throws GalleyError `index_required` or `query_too_expensive` if there are fewer left */
  count(documents: number): void {
    this.examined += documents;
    if (this.examined > this.#most) throw this.exceeded();
  }

  exceeded(): GalleyError {
    return tooManyCandidates(this.#budget, this.#advise());
  }
}
