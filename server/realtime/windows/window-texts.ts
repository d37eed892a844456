import { type Document, parseText } from "#protocol/values";
import type { Row } from "../../stores/document-store.ts";
import type { ListQuestion } from "../contract.ts";
import type { Texts } from "./texts.ts";

/** Texts at hand, by id and version, whatever the budget for texts has room for. */
export type AtHand = Map<string, string>;

/** Documents as one window shows them: each version is put into words once, as long as there is room to keep it. */
export class WindowTexts {
  readonly #window: string;
  readonly #question: ListQuestion;
  readonly #texts: Texts;
  /** It has kept texts of its own. */
  #hides = false;

  constructor(window: string, question: ListQuestion, texts: Texts) {
    this.#window = window;
    this.#question = question;
    this.#texts = texts;
  }

  keep(row: Row, atHand?: AtHand): string {
    const { id, version } = row;
    const text = this.#question.show(row);
    // What hides nothing is the same for every window. Another program may have kept a version of which something was hidden.
    const isStored = text === row.text;
    if (isStored && this.#hides) this.#texts.drop(this.#window, id, version);
    else this.#hides ||= !isStored;
    this.#texts.put(isStored ? this.#question.collection : this.#window, id, version, text);
    atHand?.set(keyOf(row), text);
    return text;
  }

  /** Another program may have changed a document and kept its version: no text of before is left. */
  renew(row: Row): void {
    const { id, version } = row;
    const owners = [this.#window, this.#question.collection];
    if (owners.some((owner) => this.#texts.has(owner, id, version))) this.keep(row);
  }

  /** Whether the text that is kept of a document, if there is one, is that of this row. */
  agree(row: Row, atHand: AtHand): boolean {
    const kept = this.of(row, atHand);
    return kept === undefined || kept === this.#question.show(row);
  }

  /** Undefined: it has to be read. */
  of(row: Pick<Row, "id" | "version">, atHand: AtHand): string | undefined {
    const { id, version } = row;
    const own = atHand.get(keyOf(row)) ?? this.#texts.get(this.#window, id, version);
    if (own !== undefined) return own;
    const stored = this.#texts.get(this.#question.collection, id, version);
    return stored === undefined ? undefined : this.keep(new StoredText(id, version, stored));
  }
}

function keyOf({ id, version }: Pick<Row, "id" | "version">): string {
  return `${id} ${version}`;
}

class StoredText implements Row {
  readonly id: string;
  readonly version: number;
  readonly text: string;

  constructor(id: string, version: number, text: string) {
    this.id = id;
    this.version = version;
    this.text = text;
  }

  get value(): Document {
    return parseText(this.text) as Document;
  }
}
