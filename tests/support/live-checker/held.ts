import type { LoggedDocument } from "./commit-log.ts";
import type { Fields } from "./rules.ts";

/** One version of a document, and how it reads in JSON. */
export class Held {
  readonly row: LoggedDocument;
  readonly fields: Fields;
  readonly #shown = new Map<string, object>();

  constructor(row: LoggedDocument) {
    this.row = row;
    this.fields = JSON.parse(row.text) as Fields;
  }

  /** As those see it from whom some fields are hidden, and who chose others; one object for all of them. */
  shown(hidden: readonly string[], select: readonly string[] | undefined): object {
    const name = `${hidden.join()} ${select?.join() ?? ""}`;
    const known = this.#shown.get(name);
    if (known) return known;
    const shown = Object.fromEntries(
      Object.entries(this.fields).filter(
        ([field]) => !hidden.includes(field) && (!select || ALWAYS.includes(field) || select.includes(field)),
      ),
    );
    this.#shown.set(name, shown);
    return shown;
  }
}

/** What every document shows, whatever was selected. */
const ALWAYS: readonly string[] = ["_id", "_v"];
