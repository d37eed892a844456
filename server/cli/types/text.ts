/** What would end a comment, or hide in a line: control and format characters, which include those that turn text around. */
const UNSEEN = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}]/gu;

/** A text as a TypeScript literal. */
export function quoted(text: string): string {
  return JSON.stringify(text).replace(UNSEEN, (character) =>
    [...Array(character.length).keys()]
      .map((i) => `\\u${character.charCodeAt(i).toString(16).padStart(4, "0")}`)
      .join(""),
  );
}

/** A name as the key of a member. */
export function key(name: string): string {
  return /^[A-Za-z_$][\w$]*$/.test(name) ? name : quoted(name);
}

/** Characters of a line of a comment. */
const WIDTH = 110;

/** A doc comment, each line behind `indent`; nothing for nothing. */
export function comment(text: string | undefined, indent: string): string {
  if (text === undefined) return "";
  const lines = text.split(/\r\n|[\n\r\u2028\u2029]/).flatMap(commentLines);
  const [only, other] = lines;
  if (only === undefined) return "";
  if (other === undefined) return `${indent}/** ${only} */\n`;
  return `${indent}/**\n${lines.map((line) => `${indent} *${line === "" ? "" : ` ${line}`}\n`).join("")}${indent} */\n`;
}

/** One line of a text as lines of a comment: without what the compiler or the comment's end would take for its own. */
function commentLines(line: string): string[] {
  const words = line
    .replace(UNSEEN, " ")
    .replaceAll("*/", "*\\/")
    .replace(/@(?=ts-)/g, "@ ")
    .split(/\s+/)
    .filter((word) => word !== "");
  const lines: string[] = [];
  for (const word of words) {
    const last = lines.at(-1);
    if (last !== undefined && last.length + word.length < WIDTH) lines[lines.length - 1] = `${last} ${word}`;
    else lines.push(word);
  }
  return lines;
}
