/** What one question shows to somebody at the position of the world: an array of documents, sorted and cut. */
import type { Key } from "#protocol/compare";
import { compareKeys, sortKeyOf } from "#protocol/sort";
import { referenceMatch } from "../reference-matcher.ts";
import type { LoggedChange } from "./commit-log.ts";
import type { Held } from "./held.ts";
import type { Question } from "./question.ts";
import { hiddenIn, isVisible, type Person, type Refusal, refusalOf } from "./rules.ts";
import { stableText } from "./stable-text.ts";
import type { Who, World } from "./world.ts";

export interface Entry {
  readonly id: string;
  readonly version: number;
  readonly key: readonly Key[];
  readonly held: Held;
  /** As they may see it; made when it is asked for. */
  shown: object | undefined;
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
  #person: Person;
  /** The documents that were judged, whatever came of it. */
  readonly #judged = new Map<string, Held>();
  /** All that match, whoever asks, and those of them that are shown; in order. */
  readonly #matching: Entry[] = [];
  #rows: Entry[] = [];
  /** What it comes to, from each position on where that changed; undefined where it is refused. */
  #values: { readonly from: string; readonly text: string | undefined }[] = [];

  constructor(world: World, question: Question, who: Who) {
    this.#world = world;
    this.#person = world.personOf(who);
    this.question = question;
    this.who = who;
    this.rebuild();
  }

  get rows(): readonly Entry[] {
    return this.#rows;
  }

  /** Nobody has looked at it for a while. */
  renew(): void {
    this.#values = [];
    this.refusedAt = "";
    this.rebuild();
  }

  /** Judges all that is another than before, and who may see it by the rights of now. */
  rebuild(): void {
    const { collection, ids } = this.question;
    const documents = this.#world.documentsOf(collection);
    for (const [id, held] of documents) if (this.#judged.get(id) !== held) this.#judge(id, held);
    if (this.#judged.size > documents.size) {
      for (const id of this.#judged.keys()) if (!documents.has(id)) this.#judge(id, undefined);
    }
    this.#person = this.#world.personOf(this.who);
    this.refusal = refusalOf(collection, ids !== undefined, this.#person, this.#world.variant);
    for (const entry of this.#matching) entry.shown = undefined;
    this.#rows = this.refusal ? [] : this.#matching.filter(({ held }) => this.#mayShow(held));
    this.#changed();
  }

  follow(changes: readonly LoggedChange[]): void {
    const { collection } = this.question;
    let changed = false;
    for (const change of changes) {
      if (change.collection !== collection) continue;
      const { old, entry } = this.#judge(change.id, this.#world.documentsOf(collection).get(change.id));
      if (this.refusal) continue;
      const at = old ? this.#rows.indexOf(old) : -1;
      if (at >= 0) this.#rows.splice(at, 1);
      const isShown = entry !== undefined && this.#mayShow(entry.held);
      if (isShown) this.#insert(this.#rows, entry);
      changed ||= isShown || at >= 0;
    }
    if (this.refusal) this.refusedAt = this.#world.order;
    else if (changed) this.#changed();
  }

  /** Text of what it came to at a position; undefined if it was refused there, or is a list. */
  valueAt(order: string): string | undefined {
    return this.#values.findLast(({ from }) => from <= order)?.text;
  }

  shownOf(entry: Entry): object {
    const { held } = entry;
    const { collection, select } = this.question;
    entry.shown ??= held.shown(hiddenIn(collection, held.fields, this.#person, this.#world.variant), select);
    return entry.shown;
  }

  #mayShow({ fields }: Held): boolean {
    const { collection, ids } = this.question;
    return isVisible(collection, ids !== undefined, fields, this.#person, this.#world.variant);
  }

  /** Puts what a document is now in place of what it was. */
  #judge(id: string, held: Held | undefined): { readonly old: Entry | undefined; readonly entry: Entry | undefined } {
    const { ids, filter, sort } = this.question;
    const at = this.#judged.has(id) ? this.#matching.findIndex((entry) => entry.id === id) : -1;
    const [old] = at >= 0 ? this.#matching.splice(at, 1) : [];
    if (!held) {
      this.#judged.delete(id);
      return { old, entry: undefined };
    }
    this.#judged.set(id, held);
    const { version, value } = held.row;
    const matches = ids ? ids.includes(id) : referenceMatch(filter, value);
    if (!matches) return { old, entry: undefined };
    const entry = { id, version, key: sortKeyOf(sort, value) ?? [], held, shown: undefined };
    this.#insert(this.#matching, entry);
    return { old, entry };
  }

  #insert(entries: Entry[], entry: Entry): void {
    const at = entries.findIndex(({ key }) => compareKeys(this.question.sort, key, entry.key) > 0);
    entries.splice(at < 0 ? entries.length : at, 0, entry);
  }

  #changed(): void {
    const { order } = this.#world;
    this.revision++;
    if (this.refusal) this.refusedAt = order;
    const { computation } = this.question;
    if (!computation) return;
    const text = this.refusal ? undefined : stableText(computation(this.#rows.map(({ held }) => held.fields)));
    const last = this.#values.at(-1);
    if (!last || last.text !== text) this.#values.push({ from: order, text });
  }
}
