import { type TypeNames, typeName } from "./names.ts";
import type { ArrayShape, ObjectShape, Shape } from "./shape.ts";
import { comment, key, quoted } from "./text.ts";

/** Where shapes come from. */
export interface Source<C> {
  open(place: C): Shape<C>;
  /** What references call a place, if there are any. */
  nameOf?(place: C): string | undefined;
  /** What is said of a place where it has a name. */
  noteOf?(place: C): string | undefined;
}

/** Characters of an object that stands on one line. */
const LINE = 80;

/** Writes a collection's type, and those that it needs under names of their own. */
export class Printer<C> {
  readonly #source: Source<C>;
  readonly #names: TypeNames;
  readonly #root: string;
  readonly #uses = new Map<C, number>();
  readonly #named = new Map<C, string>();
  readonly #waiting: C[] = [];

  constructor(source: Source<C>, names: TypeNames, root: string) {
    this.#source = source;
    this.#names = names;
    this.#root = root;
  }

  /** The declarations, the root's first. */
  declarations(root: C, note: string | undefined): string {
    this.#count(root);
    this.#named.set(root, this.#root);
    const texts = [this.#declaration(root, note)];
    for (let place = this.#waiting.shift(); place !== undefined; place = this.#waiting.shift()) {
      texts.push(this.#declaration(place, this.#source.noteOf?.(place)));
    }
    return texts.join("\n");
  }

  /** Who is used twice gets a name, which is also what ends recursion. */
  #count(root: C): void {
    const waiting = [root];
    for (let place = waiting.pop(); place !== undefined; place = waiting.pop()) {
      const uses = this.#uses.get(place) ?? 0;
      this.#uses.set(place, uses + 1);
      if (uses > 0) continue;
      const { arrays, objects } = this.#source.open(place);
      for (const { prefix, rest } of arrays) waiting.push(...prefix, ...(rest === undefined ? [] : [rest]));
      for (const { named, members, rest } of objects) {
        const inside = named === undefined ? [...members.values()].map((member) => member.place) : [named];
        // What further names hold is written as one of all.
        waiting.push(...inside, ...(typeof rest === "string" ? [] : [...inside, ...rest]));
      }
    }
  }

  #declaration(place: C, note: string | undefined): string {
    const name = this.#named.get(place) ?? this.#root;
    const shape = this.#source.open(place);
    const parts = this.#parts(shape, name, "");
    const [object, other] = shape.objects;
    const body = parts[0];
    const isInterface = parts.length === 1 && object && !other && object.named === undefined && body?.startsWith("{");
    const head = comment(note, "");
    if (!isInterface) return `${head}export type ${name} = ${parts.join(" | ")};\n`;
    return `${head}export interface ${name} ${this.#object(object, name, "", true)}\n`;
  }

  /** @param path what it would be called */
  #text(place: C, path: string, indent: string): string {
    return this.#nameOf(place, path) ?? this.#parts(this.#source.open(place), path, indent).join(" | ");
  }

  #nameOf(place: C, path: string): string | undefined {
    const known = this.#named.get(place);
    if (known !== undefined) return known;
    const called = this.#source.nameOf?.(place);
    if (called === undefined && !((this.#uses.get(place) ?? 0) > 1 && this.#isComposed(place))) return undefined;
    const name = this.#names.take(called === undefined ? path : this.#root + typeName(called));
    this.#named.set(place, name);
    this.#waiting.push(place);
    return name;
  }

  #isComposed(place: C): boolean {
    const { arrays, objects } = this.#source.open(place);
    return (
      objects.some(({ members, rest }) => members.size > 0 || typeof rest !== "string") ||
      arrays.some(
        ({ prefix, rest }) => prefix.length > 0 || (rest !== undefined && !isAnything(this.#source.open(rest))),
      )
    );
  }

  /** The members of a union. */
  #parts(shape: Shape<C>, path: string, indent: string): string[] {
    if (isAnything(shape)) return ["unknown"];
    const parts = [
      ...(shape.string === "all" ? ["string"] : shape.string.map(quoted)),
      ...(shape.number === "all" ? ["number"] : shape.number.map(String)),
      ...(shape.int64 === "all" ? ["bigint"] : shape.int64.map((value) => `${value}n`)),
      ...(shape.boolean === "all" || shape.boolean.length === 2 ? ["boolean"] : shape.boolean.map(String)),
      ...(shape.date ? ["Date"] : []),
      ...(shape.binary ? ["Uint8Array"] : []),
      ...shape.arrays.map((array) => this.#array(array, path, indent)),
      ...shape.objects.map((object) => this.#object(object, path, indent)),
      ...(shape.null ? ["null"] : []),
    ];
    return parts.length === 0 ? ["never"] : [...new Set(parts)];
  }

  #array({ prefix, min, rest }: ArrayShape<C>, path: string, indent: string): string {
    const element = rest === undefined ? undefined : this.#text(rest, `${path}Item`, indent);
    if (prefix.length === 0) {
      if (element === undefined) return "[]";
      return /^[\w$]+$/.test(element) ? `${element}[]` : `(${element})[]`;
    }
    const first = prefix.map((place, i) => {
      const text = this.#text(place, `${path}Item${i + 1}`, indent);
      if (i < min) return text;
      return /^[\w$]+$/.test(text) ? `${text}?` : `(${text})?`;
    });
    const further = element === undefined ? [] : [/^[\w$]+$/.test(element) ? `...${element}[]` : `...(${element})[]`];
    return `[${[...first, ...further].join(", ")}]`;
  }

  #object({ named, members, rest }: ObjectShape<C>, path: string, indent: string, open = false): string {
    if (named !== undefined) return this.#text(named, path, indent);
    if (members.size === 0 && !open && rest === "open") return "Json";
    if (members.size === 0 && rest === "closed") return open ? "{}" : "{ [key: string]: never }";
    const inner = `${indent}  `;
    let optional = false;
    let noted = false;
    const lines = [...members].map(([name, member]) => {
      optional ||= member.optional;
      noted ||= member.note !== undefined;
      const text = this.#text(member.place, path + typeName(name), inner);
      return [comment(member.note, inner), `${key(name)}${member.optional ? "?" : ""}: ${text}`] as const;
    });
    if (typeof rest !== "string")
      lines.push(["", `[key: string]: ${this.#index(members, rest, optional, path, inner)}`]);
    const line = `{ ${lines.map(([, text]) => text).join("; ")} }`;
    if (!open && !noted && line.length <= LINE && !line.includes("\n")) return line;
    return `{\n${lines.map(([note, text]) => `${note}${inner}${text};\n`).join("")}${indent}}`;
  }

  /** What any further name holds. TypeScript wants the named members among it. */
  #index(
    members: ObjectShape<C>["members"],
    rest: readonly C[],
    optional: boolean,
    path: string,
    indent: string,
  ): string {
    const places = new Set([...rest, ...[...members.values()].map(({ place }) => place)]);
    const texts = [...places].map((place) => this.#text(place, `${path}Value`, indent));
    if (texts.includes("unknown")) return "unknown";
    return [...new Set([...texts, ...(optional ? ["undefined"] : [])])].join(" | ");
  }
}

function isAnything({ arrays, objects, ...shape }: Shape<unknown>): boolean {
  const { boolean, number, int64, string } = shape;
  const open = objects.some(({ members, rest }) => members.size === 0 && rest === "open");
  const all = [boolean, number, int64, string].every((values) => values === "all");
  return all && open && arrays.length > 0 && shape.null && shape.date && shape.binary;
}
