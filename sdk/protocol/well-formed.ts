/** In a pattern for whole characters only halves of pairs that lack the other one are left to find. */
const LONE = /[\ud800-\udfff]/u;

/** Whether a text is well-formed Unicode: without lone surrogates. Hermes, React Native's engine, has no method for it. */
export function isWellFormed(text: string): boolean {
  return text.isWellFormed ? text.isWellFormed() : !LONE.test(text);
}
