import type { Ajv2020, Format } from "ajv/dist/2020.js";
import formats from "ajv-formats";
import { patternFault } from "./patterns.ts";

/**
 * Characters of a text that has a format. Some of the expressions behind formats take time that grows with the square
 * of the length; within this bound none takes long.
 */
const FORMAT_CHARACTERS = 2048;

/** The formats of ajv-formats, on texts of a bounded length; `regex` is RE2's, as `pattern` is. */
export function addFormats(ajv: Ajv2020): void {
  formats.default(ajv, { keywords: true });
  for (const [name, format] of Object.entries(ajv.formats)) {
    const bounded = format === undefined ? undefined : boundedFormat(format);
    if (bounded) ajv.addFormat(name, bounded);
  }
  ajv.addFormat("regex", (text: string) => patternFault(text) === undefined);
}

/** Undefined for formats of numbers and for those that any text has. */
function boundedFormat(format: Format): Format | undefined {
  if (typeof format === "boolean" || typeof format === "string") return undefined;
  if (format instanceof RegExp) return (text: string) => text.length <= FORMAT_CHARACTERS && format.test(text);
  if (typeof format === "function") return (text: string) => text.length <= FORMAT_CHARACTERS && format(text);
  if (format.type === "number" || format.async) return undefined;
  const { validate } = format;
  if (typeof validate === "string") return undefined;
  const judge =
    validate instanceof RegExp ? (text: string) => validate.test(text) : (validate as (text: string) => boolean);
  // The rest of the definition tells formatMinimum and its kin how to compare.
  return { ...format, validate: (text: string) => text.length <= FORMAT_CHARACTERS && judge(text) } as Format;
}
