import { createRequire } from "node:module";

const LIBRARY = "@zxcvbn-ts/language-common";
let words: ReadonlySet<string> | undefined;

/** Whether a text in lower case is one of the 49,000 most common passwords, or a word of the lists that dice choose from. */
export function isCommonPassword(text: string): boolean {
  words ??= readWords();
  return words.has(text);
}

/** Read at first use, which costs some 40 ms and 6 MB: no start pays for it. */
function readWords(): ReadonlySet<string> {
  const { dictionary }: typeof import("@zxcvbn-ts/language-common") = createRequire(import.meta.url)(LIBRARY);
  return new Set(Object.values(dictionary).flat());
}
