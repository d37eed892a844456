/** What one question shows to somebody at the position of the world: an array of documents, sorted and cut. */
import type { Key } from "#protocol/compare";
import { compareKeys, sortKeyOf } from "#protocol/sort";
import { referenceMatch } from "../reference-matcher.ts";
import type { LoggedChange } from "./commit-log.ts";
import type { Question } from "./question.ts";
import { hiddenIn, isVisible, type Refusal, refusalOf } from "./rules.ts";
import { stableText } from "./stable-text.ts";
import type { Held, Who, World } from "./world.ts";

export interface Entry {
  readonly id: string;
  readonly version: number;
  readonly key: readonly Key[];
  readonly held: Held;
  /** As they may see it; made when it is asked for. */
  text: string | undefined;
}

export class View {
  readonly question: Question;
  readonly who: Who;
  users = 0;
  /** Raised whenever what it shows may be another. */
  revision = 0;
  refusal: Refusal | undefined;
  /** Where it was refused last. */
  refusedAt = "";
  readonly #world: World;
  /** All that match, in order. */
  #rows: Entry[] = [];
  /** How many matched, from each position on where that changed. */
  readonly #counts: { readonly from: string; readonly count: number | undefined }[] = [];

  constructor(world: World, question: Question, who: Who) {
    this.#world = world;
    this.question = question;
    this.who = who;
    this.rebuild();
  }

  get rows(): readonly Entry[] {
    return this.#rows;
  }

  /** Judges every document by the rights of now. */
  rebuild(): void {
    const { collection, ids, sort } = this.question;
    const person = this.#world.personOf(this.who);
    this.refusal = refusalOf(collection, ids !== undefined, person, this.#world.variant);
    this.#rows = [];
    if (!this.refusal) {
      for (const held of this.#world.documentsOf(collection).values()) {
        if (this.#shows(held)) this.#rows.push(this.#entryOf(held));
      }
      this.#rows.sort((a, b) => compareKeys(sort, a.key, b.key));
    }
    this.#changed();
  }

  follow(changes: readonly LoggedChange[]): void {
    if (this.refusal) {
      this.refusedAt = this.#world.order;
      return;
    }
    const { collection, sort } = this.question;
    let changed = false;
    for (const change of changes) {
      if (change.collection !== collection) continue;
      const old = this.#rows.findIndex(({ id }) => id === change.id);
      if (old >= 0) this.#rows.splice(old, 1);
      const held = this.#world.documentsOf(collection).get(change.id);
      const shown = held && this.#shows(held);
      if (shown) {
        const entry = this.#entryOf(held);
        const at = this.#rows.findIndex(({ key }) => compareKeys(sort, key, entry.key) > 0);
        this.#rows.splice(at < 0 ? this.#rows.length : at, 0, entry);
      }
      changed ||= shown === true || old >= 0;
    }
    if (changed) this.#changed();
  }

  /** How many matched at a position; undefined if it was refused there. */
  countAt(order: string): number | undefined {
    return this.#counts.findLast(({ from }) => from <= order)?.count;
  }

  textOf(entry: Entry): string {
    if (entry.text !== undefined) return entry.text;
    const { collection, select } = this.question;
    const { fields } = entry.held;
    const hidden = hiddenIn(collection, fields, this.#world.personOf(this.who), this.#world.variant);
    const shown = Object.entries(fields).filter(
      ([name]) => !hidden.includes(name) && (!select || ALWAYS.includes(name) || select.includes(name)),
    );
    entry.text = stableText(Object.fromEntries(shown));
    return entry.text;
  }

  #shows({ row, fields }: Held): boolean {
    const { collection, ids, filter } = this.question;
    if (!isVisible(collection, ids !== undefined, fields, this.#world.personOf(this.who), this.#world.variant)) {
      return false;
    }
    return ids ? ids.includes(row.id) : referenceMatch(filter, row.value);
  }

  #entryOf(held: Held): Entry {
    const { id, version, value } = held.row;
    return { id, version, key: sortKeyOf(this.question.sort, value) ?? [], held, text: undefined };
  }

  #changed(): void {
    const { order } = this.#world;
    this.revision++;
    if (this.refusal) this.refusedAt = order;
    if (this.question.kind !== "count") return;
    const count = this.refusal ? undefined : this.#rows.length;
    const last = this.#counts.at(-1);
    if (!last || last.count !== count) this.#counts.push({ from: order, count });
  }
}

/** What every document shows, whatever was selected. */
const ALWAYS: readonly string[] = ["_id", "_v"];
