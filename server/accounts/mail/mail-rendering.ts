import { DEFAULT_TEMPLATES } from "./mail-defaults.ts";
import type { MailKind } from "./mail-records.ts";
import {
  type MailTemplate,
  type MailTemplates,
  type MailValues,
  PLACEHOLDER,
  PLACEHOLDERS,
  type Placeholder,
} from "./mail-templates.ts";

const FALLBACK = "en";
/** Characters of a value, of a link and of a subject with its values in it. */
const MAX_VALUE = 200;
const MAX_LINK = 2000;
const MAX_SUBJECT = 300;
/** What ends a line, steers a terminal, is half a character, or turns the direction of writing. */
const UNSEEN = /[\p{Cc}\p{Cs}\p{Zl}\p{Zp}\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]+/gu;

/**
 * Puts values into the template of a kind: that of the exact language tag, else of its language, else English.
 *
 * Values are put in once and never read as templates. They bear no line ends, in HTML no markup.
 */
export function renderMail(
  templates: MailTemplates,
  { kind, locale }: { readonly kind: MailKind; readonly locale?: string },
  given: MailValues,
): MailTemplate {
  const { subject, text, html } = templateOf(templates, kind, locale);
  const values = plainValues(given);
  const fill = (template: string, write: (value: string) => string) =>
    template.replace(PLACEHOLDER, (_, name: Placeholder) => write(values[name] ?? ""));
  const asIs = (value: string) => value;
  return {
    subject: plain(fill(subject, asIs), MAX_SUBJECT),
    text: fill(text, asIs),
    ...(html !== undefined && { html: fill(html, escapeHtml) }),
  };
}

function templateOf(templates: MailTemplates, kind: MailKind, locale = FALLBACK): MailTemplate {
  const [language = FALLBACK] = locale.split("-");
  const defaults: Readonly<Record<string, MailTemplate>> = DEFAULT_TEMPLATES[kind];
  for (const tag of [locale, language, FALLBACK]) {
    for (const held of [templates[kind], defaults]) {
      const template = held && Object.hasOwn(held, tag) ? held[tag] : undefined;
      if (template) return template;
    }
  }
  return DEFAULT_TEMPLATES[kind][FALLBACK];
}

function plainValues(given: MailValues): MailValues {
  const values: Partial<Record<Placeholder, string>> = {};
  for (const name of PLACEHOLDERS) values[name] = plain(given[name] ?? "", name === "link" ? MAX_LINK : MAX_VALUE);
  return values;
}

/** On one line and of bounded length. */
function plain(text: string, most: number): string {
  const line = text.toWellFormed().replace(UNSEEN, " ").trim();
  return line.length > most ? `${[...line.slice(0, most)].slice(0, -1).join("")}…` : line;
}

const ENTITIES: Readonly<Record<string, string>> = {
  "&": "&amp;",
  "<": "&lt;",
  ">": "&gt;",
  '"': "&quot;",
  "'": "&#39;",
};

function escapeHtml(text: string): string {
  return text.replace(/[&<>"']/g, (character) => ENTITIES[character] ?? character);
}
