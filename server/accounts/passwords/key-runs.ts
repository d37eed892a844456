/**
 * Keys in their rows, from the top: of a row the characters without shift, then those with it where they are not the
 * same letters. Alphabets and numbers are rows that fingers know as well.
 */
const KEYBOARDS: readonly (readonly (readonly string[])[])[] = [
  [["1234567890-=", "!@#$%^&*()_+"], ["qwertyuiop[]"], ["asdfghjkl;'"], ["zxcvbnm,./"]],
  [["1234567890ß", '!"§$%&/()=?'], ["qwertzuiopü+"], ["asdfghjklöä#"], ["yxcvbnm,.-"]],
  [["1234567890", "&é\"'(-è_çà"], ["azertyuiop^$"], ["qsdfghjklmù*"], ["wxcvbn,;:!"]],
  [["1234567890-="], ["йцукенгшщзхъ"], ["фывапролджэ"], ["ячсмитьбю."]],
  [["789"], ["456"], ["123"], ["0"]],
  [["0123456789"]],
  [["abcdefghijklmnopqrstuvwxyz"]],
  [["абвгдежзийклмнопрстуфхцчшщъыьэюя"]],
  [["αβγδεζηθικλμνξοπρστυφχψω"]],
];

interface Place {
  readonly row: number;
  readonly column: number;
}

const PLACES: readonly ReadonlyMap<string, Place>[] = KEYBOARDS.map(
  (rows) =>
    new Map(
      rows.flatMap((levels, row) =>
        levels.flatMap((keys) => [...keys].map((key, column): [string, Place] => [key, { row, column }])),
      ),
    ),
);

/** Keys that make a line; two may be chance. */
const SHORTEST = 3;
/** One in so many may lie off every line. */
const OFF_LINE = 8;

/**
 * Whether keys were struck along straight lines of a keyboard: rows, columns and diagonals, in both directions, or one
 * key again and again: `qwertyuiop`, `1qaz2wsx`, `4321abcd`; or along two lines in turn, as `1q2w3e4r`. Its cost grows
 * with the length, whatever the text.
 *
 * @param keys characters in lower case
 */
export function isKeyRun(keys: readonly string[]): boolean {
  if (isAlongLines(keys)) return true;
  const inTurn = [0, 1].map((odd) => keys.filter((_, i) => i % 2 === odd));
  return inTurn.every((half) => half.length >= SHORTEST && isAlongLines(half));
}

function isAlongLines(keys: readonly string[]): boolean {
  const mostOff = Math.floor(keys.length / OFF_LINE);
  let off = 0;
  for (let at = 0; at < keys.length; ) {
    const length = lineAt(keys, at);
    if (length < SHORTEST) off++;
    if (off > mostOff) return false;
    at += length < SHORTEST ? 1 : length;
  }
  return true;
}

/** How many keys from a place on lie on one line, of whichever keyboard. */
function lineAt(keys: readonly string[], at: number): number {
  let longest = 1;
  while (keys[at + longest] === keys[at] && at + longest < keys.length) longest++;
  for (const places of PLACES) longest = Math.max(longest, lineOn(places, keys, at));
  return longest;
}

function lineOn(places: ReadonlyMap<string, Place>, keys: readonly string[], at: number): number {
  const first = stepOn(places, keys, at);
  if (!first || Math.abs(first.row) > 1 || Math.abs(first.column) > 1) return 1;
  let length = 2;
  for (;;) {
    const step = stepOn(places, keys, at + length - 1);
    if (step?.row !== first.row || step.column !== first.column) return length;
    length++;
  }
}

/** From a key to the next one; undefined if one of them is not there. */
function stepOn(places: ReadonlyMap<string, Place>, keys: readonly string[], at: number): Place | undefined {
  const from = places.get(keys[at] ?? "");
  const to = places.get(keys[at + 1] ?? "");
  return from && to && { row: to.row - from.row, column: to.column - from.column };
}
