/** Names that the file uses for something else. */
const TAKEN = ["Schema", "Defined", "Json", "Date", "Uint8Array"];

/** The names of a file's types. No two differ in upper and lower case alone, which is hard to read. */
export class TypeNames {
  readonly #taken = new Set(TAKEN.map(folded));

  /** The name itself, or with a number behind it. */
  take(name: string): string {
    let free = name;
    for (let n = 2; this.#taken.has(folded(free)); n++) free = `${name}${n}`;
    this.#taken.add(folded(free));
    return free;
  }

  /** A name for each collection: of what it holds one of, where that tells them apart. */
  ofCollections(wishes: ReadonlyMap<string, string | undefined>): Map<string, string> {
    const wanted = [...wishes].map(([name, wish]) => [name, wish ?? typeName(singular(name))] as const);
    const uses = new Map<string, number>(TAKEN.map((name) => [folded(name), 1]));
    for (const [, type] of wanted) uses.set(folded(type), (uses.get(folded(type)) ?? 0) + 1);
    return new Map(
      wanted.map(([name, type]) => [name, this.take(uses.get(folded(type)) === 1 ? type : typeName(name))]),
    );
  }
}

/** Words of any text, put together as the name of a type. */
export function typeName(text: string): string {
  const words = text.split(/[^\p{ID_Continue}$]+/u).filter((word) => word !== "");
  const name = words.map((word) => word.slice(0, 1).toUpperCase() + word.slice(1)).join("");
  return /^\p{ID_Start}/u.test(name) ? name : `Type${name}`;
}

function folded(name: string): string {
  return name.toLowerCase();
}

/** English words whose singular no rule below tells. */
const SINGULARS: Readonly<Record<string, string>> = {
  ...{ people: "person", children: "child", men: "man", women: "woman", indices: "index", criteria: "criterion" },
  ...{ movies: "movie", cookies: "cookie", caches: "cache", aliases: "alias", buses: "bus", lives: "life" },
  ...{ news: "news", series: "series", species: "species", sms: "sms", gps: "gps", analyses: "analysis" },
};
const RULES: readonly (readonly [RegExp, string])[] = [
  [/(ss|us|is)$/, "$1"],
  [/([^aeiou])ies$/, "$1y"],
  [/(ss|sh|ch|x|zz|us)es$/, "$1"],
  [/(.)s$/, "$1"],
];

/** One of what a collection's name tells many of, as far as English lets itself be guessed: it is only a name. */
function singular(collection: string): string {
  const [, front = "", last = collection] = /^(.*[_-])?([^_-]*)$/.exec(collection) ?? [];
  const known = SINGULARS[last];
  if (known !== undefined) return front + known;
  const rule = RULES.find(([ending]) => ending.test(last));
  return front + (rule ? last.replace(...rule) : last);
}
