/** The most visited cities of the world, and of one country, as writers change them: what is watched, and what it should show. */
import type { Client, Live } from "@galley/sdk";
import type { City, Schema } from "./galley.d.ts";
import { byBytes } from "./question.ts";

/** Places on a board. */
export const PLACES = 10;
/** Whose board is watched beside that of the world. */
export const COUNTRY = "CH";
const CITIES = 40;
const WRITERS = 3;

type Known = City & { readonly _id: string };
/** What one writer says at once, all or nothing: how many visitors a city has now. 0: none, so it leaves the boards. */
export type Visits = readonly (readonly [id: string, visitors: number])[];
export type Board = readonly (readonly [id: string, visitors: number])[];

/** Rounds in which several writers write at the same time, never about the same city. The same ones each time. */
export function roundsOf(cities: readonly Known[], count: number): Visits[][] {
  let state = 1;
  const below = (n: number) => {
    state = (state * 48_271) % 2_147_483_647;
    return state % n;
  };
  const played = playedOf(cities);
  return Array.from({ length: count }, () =>
    Array.from({ length: WRITERS }, (_, writer) => {
      const own = played.filter((_, i) => i % WRITERS === writer);
      const some = new Set(Array.from({ length: 1 + below(3) }, () => own[below(own.length)]?._id ?? ""));
      return [...some].map((id) => [id, below(4) === 0 ? 0 : below(500)] as const);
    }),
  );
}

/** Cities that take part: half of them of the country. */
export function playedOf(cities: readonly Known[]): Known[] {
  const home = cities.filter(({ country }) => country === COUNTRY);
  const away = cities.filter(({ country }, i) => country !== COUNTRY && i % 1000 === 0);
  return [...home.slice(0, CITIES / 2), ...away.slice(0, CITIES / 2)];
}

/** Two questions that stay answered. */
export function watchBoards(db: Client<Schema>, next: (world: Live<unknown>) => void = () => {}) {
  const cities = db.collection("cities");
  const shape = { sort: ["-visitors", "name"], limit: PLACES, select: ["name", "country", "visitors"] } as const;
  const country = cities.find({ country: COUNTRY, visitors: { $gt: 0 } }, shape).live();
  const world = cities.find({ visitors: { $gt: 0 } }, shape).live(() => next(world));
  const shown = (of: typeof world): Board => (of.state.data ?? []).map(({ _id, visitors = 0 }) => [_id, visitors]);
  return {
    world: () => shown(world),
    country: () => shown(country),
    /** What is on the boards by name, for people. */
    names: () => (world.state.data ?? []).map(({ name, visitors }) => `${visitors} ${name}`),
    ready: Promise.all([world.ready, country.ready]),
    close() {
      world.close();
      country.close();
    },
  };
}

/** One writer's word, as one commit. */
export async function write(db: Client<Schema>, visits: Visits): Promise<void> {
  await db.batch((b) => {
    for (const [id, visitors] of visits) b.collection("cities").update(id, { $set: { visitors } });
  });
}

/** The boards by plain array code. */
export function boardsOf(cities: readonly Known[], visitors: ReadonlyMap<string, number>) {
  const ranked = cities
    .flatMap((city) => ((visitors.get(city._id) ?? 0) > 0 ? [{ ...city, visitors: visitors.get(city._id) ?? 0 }] : []))
    .sort((a, b) => b.visitors - a.visitors || byBytes(a.name, b.name) || byBytes(a._id, b._id));
  const top = (of: typeof ranked): Board => of.slice(0, PLACES).map(({ _id, visitors }) => [_id, visitors]);
  return { world: top(ranked), country: top(ranked.filter(({ country }) => country === COUNTRY)) };
}
