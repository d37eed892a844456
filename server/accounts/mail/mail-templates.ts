import { utf8Length } from "#protocol/values";
import { MAIL_KINDS, type MailKind } from "./mail-records.ts";

/** What a template may name, as `{{link}}`. */
export const PLACEHOLDERS = ["app", "name", "link", "code", "device", "minutes"] as const;
export type Placeholder = (typeof PLACEHOLDERS)[number];
export type MailValues = Readonly<Partial<Record<Placeholder, string>>>;

/** One mail in one language. Without `html` it is sent as plain text only. */
export interface MailTemplate {
  readonly subject: string;
  readonly text: string;
  readonly html?: string;
}

/** Templates by kind and language tag; what is missing is as Galley brings it. */
export type MailTemplates = Readonly<Partial<Record<MailKind, Readonly<Record<string, MailTemplate>>>>>;

/** In bytes of UTF-8. */
const MAX = { subject: 200, text: 16 * 1024, html: 64 * 1024 } as const;
/** Of all templates together: they are one stored document. */
const MAX_TOTAL = 512 * 1024;
const MAX_LOCALES = 50;
const LOCALE = /^[a-z]{2,3}(?:-[A-Za-z0-9]{2,8}){0,3}$/;
/** Every placeholder in a text, its name as the first group. */
export const PLACEHOLDER = new RegExp(`\\{\\{(${PLACEHOLDERS.join("|")})\\}\\}`, "g");
/** What a mail program does not show as text. */
const MARKUP = /<(style|script)\b[\s\S]*?<\/\1\s*>|<!--[\s\S]*?-->|<[^>]*(?:>|$)/gi;
/** What of it swallows the text that follows. */
const UNCLOSED = /^<(?:style|script)\b[^>]*>?$|^<!--(?![\s\S]*-->)|^<[^>]*$/i;
/** Where braces stand by right. */
const STYLE = /<style\b[\s\S]*?<\/style\s*>/gi;

/** Where templates are wrong and what is expected there. */
export interface TemplateFault {
  readonly path: string;
  readonly message: string;
}

/**
 * The first fault of templates that somebody sent; undefined if they are {@link MailTemplates}.
 * @param at their own path
 */
export function templateFault(templates: unknown, at = "mail.templates"): TemplateFault | undefined {
  if (!isObject(templates)) return { path: at, message: "expects an object of templates by kind" };
  for (const [kind, locales] of Object.entries(templates)) {
    const path = `${at}.${kind}`;
    if (!MAIL_KINDS.some((known) => known === kind))
      return { path, message: `expects one of ${MAIL_KINDS.join(", ")}` };
    const fault = localesFault(locales, path);
    if (fault) return fault;
  }
  if (utf8Length(JSON.stringify(templates)) > MAX_TOTAL) {
    return { path: at, message: `expects at most ${MAX_TOTAL} bytes in all` };
  }
  return undefined;
}

function localesFault(locales: unknown, at: string): TemplateFault | undefined {
  if (!isObject(locales)) return { path: at, message: "expects an object of templates by language tag" };
  const entries = Object.entries(locales);
  if (entries.length > MAX_LOCALES) return { path: at, message: `expects at most ${MAX_LOCALES} languages` };
  for (const [locale, template] of entries) {
    const path = `${at}.${locale}`;
    if (!LOCALE.test(locale)) return { path, message: 'expects a language tag such as "en" or "pt-BR"' };
    const fault = oneFault(template, path);
    if (fault) return fault;
  }
  return undefined;
}

function oneFault(template: unknown, at: string): TemplateFault | undefined {
  if (!isObject(template)) return { path: at, message: "expects {subject, text, html?}" };
  const unknown = Object.keys(template).find((member) => !Object.hasOwn(MAX, member));
  if (unknown !== undefined) return { path: `${at}.${unknown}`, message: "expects subject, text or html" };
  for (const part of ["subject", "text", "html"] as const) {
    const text = template[part];
    if (text === undefined && part === "html") continue;
    const message = partFault(part, text);
    if (message !== undefined) return { path: `${at}.${part}`, message };
  }
  return undefined;
}

/** What is expected of a part, in words; undefined if it is so. */
function partFault(part: keyof typeof MAX, text: unknown): string | undefined {
  if (typeof text !== "string" || text.trim() === "") return "expects a text";
  if (utf8Length(text) > MAX[part]) return `expects at most ${MAX[part]} bytes`;
  if (!text.isWellFormed()) return "expects well-formed Unicode (it has a lone surrogate)";
  if (part === "subject" && /[\p{Cc}\p{Zl}\p{Zp}]/u.test(text)) return "expects one line, without control characters";
  if (/[^\P{Cc}\t\r\n]/u.test(text)) return "expects no control characters";
  const markup = part === "html" ? markupFault(text) : undefined;
  if (markup !== undefined) return markup;
  const rest = text.replace(PLACEHOLDER, "");
  const other = /\{\{.{0,20}|.{0,20}\}\}/.exec(part === "html" ? rest.replace(STYLE, "") : rest);
  return other ? `expects ${ALL} only, got ${JSON.stringify(other[0])}` : undefined;
}

const ALL = PLACEHOLDERS.map((name) => `{{${name}}}`).join(" ");

/** Escaped text is harmless between tags and as a whole quoted attribute, not in style sheets and unquoted attributes. */
function markupFault(html: string): string | undefined {
  for (const [markup] of html.matchAll(MARKUP)) {
    if (UNCLOSED.test(markup)) return "expects every tag, style sheet and comment to be closed";
    const inTag = !/^<(?:style|script|!--)/i.test(markup);
    const rest = inTag ? markup.replace(/=\s*(["'])\{\{link\}\}\1/g, "") : markup;
    if (rest.search(PLACEHOLDER) >= 0) return 'expects placeholders between tags, and in a tag only href="{{link}}"';
  }
  return undefined;
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
