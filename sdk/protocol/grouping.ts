import type { Accumulator } from "./accumulator.ts";
import { accumulatorOf, aggregateValue } from "./accumulator.ts";
import type { Aggregate, Group } from "./aggregate.ts";
import { compare } from "./compare.ts";
import { GalleyError } from "./errors.ts";
import { LIMITS } from "./limits.ts";
import { normalNumbers } from "./normal-numbers.ts";
import type { ObjectValue, Value } from "./values.ts";
import { encodeValue } from "./values.ts";

/** Characters of the texts of keys, least and greatest values held. */
const HELD_CHARACTERS = 16 * 1024 * 1024;

interface OpenGroup {
  readonly key: readonly Value[];
  readonly accumulators: readonly Accumulator[];
}

/** Takes documents in, one by one, and gives their groups; query-language.md 5.6. */
export class Grouping {
  readonly #aggregate: Aggregate;
  /** By the canonical text of the key: keys with normal numbers are equal exactly if their texts are. */
  readonly #groups = new Map<string, OpenGroup>();
  #characters = 0;

  constructor(aggregate: Aggregate) {
    this.#aggregate = aggregate;
    if (aggregate.group.length === 0) this.#open([], "[]");
  }

  /**
   * Returns false if the groups are more, or their values larger, than may be held (`query_too_expensive`). The grouping
   * is then not to be used.
   */
  add(document: ObjectValue): boolean {
    const key = this.#aggregate.group.map((path) => normalNumbers(aggregateValue(document, path) ?? null));
    const text = encodeValue(key);
    const group = this.#groups.get(text) ?? this.#open(key, text);
    for (const accumulator of group.accumulators) this.#characters += accumulator.add(document);
    return this.#groups.size <= LIMITS.groupsHeld && this.#characters <= HELD_CHARACTERS;
  }

  /**
   * The groups in order, at most `limit`, and whether there were more.
   *
   * @throws GalleyError `invalid_argument` naming a sum or average beyond the greatest double. A document with two arrays
   *   under a sort is refused alike: Infinity is no value of the language, null means that there was nothing to add, and
   *   the greatest double would be a wrong answer that looks right.
   */
  result(): { groups: Group[]; more: boolean } {
    const { sort, limit } = this.#aggregate;
    const groups = Array.from(this.#groups.values(), (group) => this.#close(group));
    groups.sort((a, b) => {
      for (const { output, descending } of sort) {
        const order = compare(a.out[output] as Value, b.out[output] as Value);
        if (order !== 0) return descending ? -order : order;
      }
      return compare(a.key, b.key);
    });
    return { groups: groups.slice(0, limit), more: groups.length > limit };
  }

  #open(key: readonly Value[], text: string): OpenGroup {
    const group = { key, accumulators: this.#aggregate.out.map(accumulatorOf) };
    this.#groups.set(text, group);
    this.#characters += text.length;
    return group;
  }

  #close(group: OpenGroup): Group {
    const out: Record<string, Value> = {};
    for (const [i, output] of this.#aggregate.out.entries()) {
      const value = group.accumulators[i]?.result() ?? null;
      if (typeof value === "number" && !Number.isFinite(value)) throw beyondDouble(`out.${output.name}`);
      out[output.name] = value;
    }
    return { key: group.key, out };
  }
}

function beyondDouble(path: string): GalleyError {
  const message = `${path}: the exact sum of a group is beyond the greatest double, 1.8e308`;
  return new GalleyError("invalid_argument", message, { faults: [{ path, code: "bad_value", message }] });
}
