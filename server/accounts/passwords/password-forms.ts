/** Letters that signs and digits stand for. Those of {@link STROKES} may be an i or an l. */
const LEET: Readonly<Record<string, string>> = {
  ...{ "@": "a", "4": "a", "8": "b", "(": "c", "3": "e", "6": "g", "9": "g", "0": "o" },
  ...{ $: "s", "5": "s", "+": "t", "7": "t", "2": "z" },
};
const STROKES = "1!|";
const LETTER = /[\p{L}\p{M}]/u;
const LETTER_OR_DIGIT = /[\p{L}\p{M}\p{N}]/u;

/** A text in lower case, as it is and with the letters that its signs and digits stand for. */
export function withoutLeet(text: string): readonly string[] {
  return [text, ...["i", "l"].map((stroke) => [...text].map((sign) => letterOf(sign, stroke)).join(""))];
}

function letterOf(sign: string, stroke: string): string {
  return STROKES.includes(sign) ? stroke : (LEET[sign] ?? sign);
}

/** A text in lower case without what people add to a word: outer signs, or those and outer digits, at either end. */
export function cores(text: string): readonly string[] {
  const characters = [...text];
  const backward = characters.toReversed();
  const found = new Set<string>();
  for (const start of endsOf(characters)) {
    for (const end of endsOf(backward)) found.add(characters.slice(start, characters.length - end).join(""));
  }
  return [...found];
}

/** How many characters may be taken off the beginning. */
function endsOf(characters: readonly string[]): ReadonlySet<number> {
  const signs = characters.findIndex((character) => LETTER_OR_DIGIT.test(character));
  const others = characters.findIndex((character) => LETTER.test(character));
  return new Set([0, Math.max(signs, 0), Math.max(others, 0)]);
}

/**
 * What a text says over and over, from its beginning to its end, the last time perhaps not whole; all of it if it says
 * nothing twice. Knuth, Morris and Pratt's table of borders: linear.
 */
export function repeatedPart(characters: readonly string[]): readonly string[] {
  const borders = [0];
  for (let i = 1, border = 0; i < characters.length; i++) {
    while (border > 0 && characters[i] !== characters[border]) border = borders[border - 1] as number;
    if (characters[i] === characters[border]) border++;
    borders.push(border);
  }
  const period = characters.length - (borders.at(-1) ?? 0);
  return period * 2 <= characters.length ? characters.slice(0, period) : characters;
}
