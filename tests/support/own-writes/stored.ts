/** A server of one collection in plain code: what stands in it, commit by commit, and what each question shows of it. */

export interface Item {
  readonly _id: string;
  readonly _v: number;
  readonly _createdAt: string;
  readonly n: number;
  readonly rank: number;
  readonly tag: string;
  readonly marks: readonly number[];
}
/** What the client writes of it. */
export type Fields = Omit<Item, "_id" | "_v" | "_createdAt">;

const CREATED = "2026-01-01T00:00:00.000Z";

export interface Question {
  readonly name: string;
  readonly filter: object;
  readonly options: { readonly sort?: string | readonly string[]; readonly limit?: number; readonly select?: string[] };
  accepts(item: Item): boolean;
  before(a: Item, b: Item): boolean;
  readonly limit: number;
  shown(item: Item): object;
}

const whole = (item: Item): object => item;
const byId = (a: Item, b: Item) => a._id < b._id;

export const QUESTIONS: readonly Question[] = [
  {
    ...{
      name: "all",
      filter: {},
      options: { sort: "rank", limit: 100 },
      limit: 100,
      accepts: () => true,
      shown: whole,
    },
    before: (a, b) => a.rank < b.rank || (a.rank === b.rank && byId(a, b)),
  },
  {
    ...{ name: "best", filter: { tag: "a" }, options: { sort: "-n", limit: 3 }, limit: 3, shown: whole },
    accepts: ({ tag }) => tag === "a",
    before: (a, b) => a.n > b.n || (a.n === b.n && byId(b, a)),
  },
  {
    ...{ name: "few", filter: { n: { $gte: 3 } }, options: { sort: ["n", "-rank"], limit: 2 }, limit: 2, shown: whole },
    accepts: ({ n }) => n >= 3,
    before: (a, b) => a.n < b.n || (a.n === b.n && (a.rank > b.rank || (a.rank === b.rank && byId(b, a)))),
  },
  {
    ...{
      name: "ranks",
      filter: { tag: { $ne: "b" } },
      options: { sort: "rank", select: ["rank"], limit: 4 },
      limit: 4,
    },
    accepts: ({ tag }) => tag !== "b",
    before: (a, b) => a.rank < b.rank || (a.rank === b.rank && byId(a, b)),
    shown: ({ _id, _v, rank }) => ({ _id, _v, rank }),
  },
  {
    ...{ name: "tags", filter: { rank: { $lte: 2 } }, options: { sort: "-n", select: ["tag"], limit: 50 }, limit: 50 },
    accepts: ({ rank }) => rank <= 2,
    before: (a, b) => a.n > b.n || (a.n === b.n && byId(b, a)),
    shown: ({ _id, _v, tag }) => ({ _id, _v, tag }),
  },
];

export type Change =
  | { readonly op: "inc" | "push" | "rank"; readonly id: string; readonly by: number }
  | { readonly op: "tag"; readonly id: string; readonly tag: string };

export type Operation =
  | { readonly op: "create"; readonly id: string; readonly fields: Fields }
  | { readonly op: "set"; readonly id: string; readonly fields: Fields }
  | { readonly op: "delete"; readonly id: string }
  | Change;

export class Stored {
  readonly items = new Map<string, Item>();
  /** By id: the version of the whole that a document's last deletion made. */
  readonly deleted = new Map<string, number>();
  place = 1;
  #version = 0;

  get position(): string {
    return positionOf(this.place);
  }

  /** @returns the code of a refusal, or nothing: all of them are stored, as one commit */
  commit(operations: readonly Operation[]): string | undefined {
    const next = new Map(this.items);
    const gone = new Map<string, number>();
    for (const operation of operations) {
      const { id } = operation;
      const old = next.get(id);
      if (operation.op === "create" && old) return "already_exists";
      if (operation.op !== "create" && operation.op !== "set" && !old) return "not_found";
      const item = applied(operation, old);
      if (item) {
        const { n, rank, tag, marks } = item;
        next.set(id, { _id: id, _v: ++this.#version, _createdAt: CREATED, n, rank, tag, marks });
      } else {
        next.delete(id);
        gone.set(id, ++this.#version);
      }
    }
    for (const [id, version] of gone) this.deleted.set(id, version);
    this.items.clear();
    for (const [id, item] of next) this.items.set(id, item);
    this.place++;
    return undefined;
  }

  /** What a question shows, and one more if there are more. */
  list({ accepts, before, limit }: Question): { readonly rows: readonly Item[]; readonly more: boolean } {
    const all = [...this.items.values()].filter(accepts).sort((a, b) => (before(a, b) ? -1 : 1));
    return { rows: all.slice(0, limit), more: all.length > limit };
  }
}

function applied(operation: Operation, old: Item | undefined): Fields | undefined {
  switch (operation.op) {
    case "create":
    case "set":
      return operation.fields;
    case "inc":
      return { ...(old as Item), n: (old as Item).n + operation.by };
    case "push":
      return { ...(old as Item), marks: [...(old as Item).marks, operation.by] };
    case "rank":
      return { ...(old as Item), rank: operation.by };
    case "tag":
      return { ...(old as Item), tag: operation.tag };
    case "delete":
      return undefined;
  }
}

export function positionOf(place: number): string {
  return `h.${place.toString(16).padStart(16, "0")}`;
}
