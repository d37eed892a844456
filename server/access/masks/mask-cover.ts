import { isNumericSegment, type Path } from "#protocol/paths";

/** What is left of a path at some place. */
interface Rest {
  readonly path: Path;
  /** How many segments lead to the place. */
  readonly from: number;
  /** Whether the next segment may be an index here: not for an array inside an array, which is no place of its own. */
  readonly indexed: boolean;
}

/**
 * What a set of paths covers at one place of a document and beneath it. A path goes through objects by key, and at an
 * array into every element that is an object, and by index, as filters do (query-language.md 3.1). Beyond that it goes
 * into objects in arrays in arrays, where no filter path looks: a price is hidden however deep the list it stands in.
 *
 * Places are made once, and so are those that a document shows the need for: elements with an index of their own.
 */
export class Cover {
  /** Whether everything at this place is covered; then there are no keys and elements to ask for. */
  readonly whole: boolean;
  /** The members of an object beneath which something is covered. */
  readonly keys: ReadonlyMap<string, Cover>;
  readonly #rests: readonly Rest[];
  readonly #indexes: ReadonlySet<string>;
  readonly #byIndex = new Map<string, Cover>();
  #others: Cover | undefined;

  private constructor(rests: readonly Rest[]) {
    this.#rests = rests;
    this.whole = rests.some(({ path, from }) => from === path.length);
    const keys = new Map<string, Rest[]>();
    const indexes = new Set<string>();
    for (const { path, from, indexed } of this.whole ? [] : rests) {
      const segment = path[from] as string;
      const beneath = keys.get(segment) ?? [];
      beneath.push({ path, from: from + 1, indexed: true });
      keys.set(segment, beneath);
      if (indexed && isNumericSegment(segment)) indexes.add(segment);
    }
    this.keys = new Map([...keys].map(([key, beneath]) => [key, new Cover(beneath)]));
    this.#indexes = indexes;
  }

  /** Undefined if there are no paths. */
  static of(paths: readonly Path[]): Cover | undefined {
    return paths.length === 0 ? undefined : new Cover(paths.map((path) => ({ path, from: 0, indexed: true })));
  }

  /** What is covered of an element of an array at this place. */
  element(index: number): Cover {
    if (this.#indexes.size === 0) return this;
    const segment = String(index);
    if (!this.#indexes.has(segment)) {
      this.#others ??= new Cover(this.#inElements());
      return this.#others;
    }
    let cover = this.#byIndex.get(segment);
    if (!cover) {
      const chosen = this.#rests.filter(({ path, from, indexed }) => indexed && path[from] === segment);
      cover = new Cover([...this.#inElements(), ...chosen.map((rest) => ({ ...rest, from: rest.from + 1 }))]);
      this.#byIndex.set(segment, cover);
    }
    return cover;
  }

  #inElements(): Rest[] {
    return this.#rests.map((rest) => ({ ...rest, indexed: false }));
  }
}
