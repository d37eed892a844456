/**
 * What the values at one place may be, class by class: the form in which schemas are intersected and united before they
 * are written as TypeScript. Whatever cannot be said exactly is said wider, never narrower: every value that the server
 * takes fits. `C` is what stands for the places further down; they are looked at only when they are written.
 */
export interface Shape<C> {
  readonly null: boolean;
  readonly boolean: Values<boolean>;
  readonly number: Values<number>;
  readonly int64: Values<bigint>;
  readonly string: Values<string>;
  readonly date: boolean;
  readonly binary: boolean;
  /** Alternatives; none: no array fits. */
  readonly arrays: readonly ArrayShape<C>[];
  readonly objects: readonly ObjectShape<C>[];
  /** The collection that the strings refer to. */
  readonly ref?: string;
}

/** All values of a class, or those that are named. */
export type Values<T> = "all" | readonly T[];

export interface ArrayShape<C> {
  /** The first elements. */
  readonly prefix: readonly C[];
  /** How many elements there are at least. */
  readonly min: number;
  /** Every further element; undefined: there is none. */
  readonly rest: C | undefined;
}

export interface ObjectShape<C> {
  readonly members: ReadonlyMap<string, Member<C>>;
  /** What further names hold: nothing is said of them, there are none, or one of these. */
  readonly rest: "open" | "closed" | readonly C[];
  /** The place that is exactly this object, so that its name can be written. */
  readonly named?: C;
}

export interface Member<C> {
  readonly place: C;
  readonly optional: boolean;
  /** What is said of it, in lines. */
  readonly note?: string;
}

/** What intersecting has to know of places. */
export interface Places<C> {
  readonly any: C;
  readonly never: C;
  both(a: C, b: C): C;
}

/** Alternatives of one place; more are written as one object with all their members. */
const MOST = 24;

export const NEVER: Shape<never> = {
  ...{ null: false, boolean: [], number: [], int64: [], string: [], date: false, binary: false },
  ...{ arrays: [], objects: [] },
};

export const OPEN: ObjectShape<never> = { members: new Map(), rest: "open" };

export function anything<C>({ any }: { readonly any: C }): Shape<C> {
  return {
    ...{ null: true, boolean: "all", number: "all", int64: "all", string: "all", date: true, binary: true },
    ...{ arrays: [{ prefix: [], min: 0, rest: any }], objects: [OPEN] },
  };
}

/** What fits both. */
export function intersect<C>(a: Shape<C>, b: Shape<C>, places: Places<C>): Shape<C> {
  const ref = a.ref ?? b.ref;
  return {
    null: a.null && b.null,
    boolean: common(a.boolean, b.boolean),
    number: common(a.number, b.number),
    int64: common(a.int64, b.int64),
    string: common(a.string, b.string),
    date: a.date && b.date,
    binary: a.binary && b.binary,
    arrays: fewArrays(
      crossed(a.arrays, b.arrays, (x, y) => bothArrays(x, y, places)),
      places,
    ),
    objects: fewObjects(
      crossed(a.objects, b.objects, (x, y) => bothObjects(x, y, places)),
      places,
    ),
    ...(ref !== undefined && { ref }),
  };
}

/** What fits one of them at least. */
export function unite<C>(shapes: readonly Shape<C>[], places: Places<C>): Shape<C> {
  const ref = shapes.find((shape) => shape.ref !== undefined)?.ref;
  return {
    null: shapes.some((shape) => shape.null),
    boolean: all(shapes.map((shape) => shape.boolean)),
    number: all(shapes.map((shape) => shape.number)),
    int64: all(shapes.map((shape) => shape.int64)),
    string: all(shapes.map((shape) => shape.string)),
    date: shapes.some((shape) => shape.date),
    binary: shapes.some((shape) => shape.binary),
    arrays: fewArrays([...new Set(shapes.flatMap((shape) => shape.arrays))], places),
    objects: fewObjects(distinct(shapes.flatMap((shape) => shape.objects)), places),
    ...(ref !== undefined && { ref }),
  };
}

function common<T>(a: Values<T>, b: Values<T>): Values<T> {
  if (a === "all") return b;
  return b === "all" ? a : a.filter((value) => b.includes(value));
}

function all<T>(lists: readonly Values<T>[]): Values<T> {
  const values = new Set<T>();
  for (const list of lists) {
    if (list === "all") return "all";
    for (const value of list) values.add(value);
  }
  return [...values];
}

function bothArrays<C>(a: ArrayShape<C>, b: ArrayShape<C>, places: Places<C>): ArrayShape<C> {
  const at = ({ prefix, rest }: ArrayShape<C>, i: number) => prefix[i] ?? rest;
  const either = (i: number) => {
    const [x, y] = [at(a, i), at(b, i)];
    return x === undefined || y === undefined ? undefined : places.both(x, y);
  };
  const prefix: C[] = [];
  for (let i = 0; i < Math.max(a.prefix.length, b.prefix.length); i++) {
    const place = either(i);
    if (place === undefined) return { prefix, min: Math.max(a.min, b.min), rest: undefined };
    prefix.push(place);
  }
  return { prefix, min: Math.max(a.min, b.min), rest: either(prefix.length) };
}

/** Undefined if no object fits both. */
function bothObjects<C>(a: ObjectShape<C>, b: ObjectShape<C>, places: Places<C>): ObjectShape<C> | undefined {
  if (a.members.size === 0 && a.rest === "open") return b;
  if (b.members.size === 0 && b.rest === "open") return a;
  const members = new Map<string, Member<C>>();
  for (const name of new Set([...a.members.keys(), ...b.members.keys()])) {
    const [x, y] = [memberOf(a, name), memberOf(b, name)];
    const optional = (x?.optional ?? true) && (y?.optional ?? true);
    const place = x && y ? places.both(x.place, y.place) : places.never;
    if (place === places.never && !optional) return undefined;
    const note = x?.note ?? y?.note;
    if (x && y) members.set(name, { place, optional, ...(note && { note }) });
  }
  return { members, rest: bothRests(a.rest, b.rest, places) };

  /** What an object says of a name; undefined: it may not be there. Of several alternatives nothing is certain. */
  function memberOf({ members, rest }: ObjectShape<C>, name: string): Member<C> | undefined {
    const member = members.get(name);
    if (member || rest === "closed") return member;
    return { place: (rest !== "open" && rest.length === 1 && rest[0]) || places.any, optional: true };
  }
}

function bothRests<C>(a: ObjectShape<C>["rest"], b: ObjectShape<C>["rest"], places: Places<C>): ObjectShape<C>["rest"] {
  if (a === "closed" || b === "closed") return "closed";
  if (a === "open") return b;
  if (b === "open") return a;
  const [[x], [y]] = [a, b];
  if (a.length === 1 && b.length === 1 && x !== undefined && y !== undefined) return [places.both(x, y)];
  return a.length <= b.length ? a : b;
}

/** Every alternative with every other one. */
function crossed<S>(a: readonly S[], b: readonly S[], both: (x: S, y: S) => S | undefined): S[] {
  return [...new Set(a.flatMap((x) => b.flatMap((y) => both(x, y) ?? [])))];
}

function fewArrays<C>(arrays: readonly ArrayShape<C>[], { any }: Places<C>): readonly ArrayShape<C>[] {
  return arrays.length > MOST ? [{ prefix: [], min: 0, rest: any }] : arrays;
}

/** Of too many alternatives one object with the members of all. */
function fewObjects<C>(objects: readonly ObjectShape<C>[], { any }: Places<C>): readonly ObjectShape<C>[] {
  if (objects.length <= MOST) return objects;
  const members = new Map<string, Member<C>>();
  for (const name of new Set(objects.flatMap((object) => [...object.members.keys()]))) {
    const found = objects.map((object) => object.members.get(name));
    const [first] = found;
    const same = first && found.every((member) => member?.place === first.place);
    members.set(name, { place: same ? first.place : any, optional: found.some((member) => member?.optional ?? true) });
  }
  return [{ members, rest: "open" }];
}

/** Each place that has a name once. */
function distinct<C>(objects: readonly ObjectShape<C>[]): ObjectShape<C>[] {
  const seen = new Set<unknown>();
  return objects.filter((object) => {
    const key = object.named ?? object;
    return !seen.has(key) && seen.add(key);
  });
}
