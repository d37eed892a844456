// Written by `galley types` from a server's collections. What is changed here is lost.
import type { Defined } from "@galley/sdk";

export interface Schema {
  cities: Defined<City, { refs: { country: "countries" } }>;
  countries: Defined<Country, { refs: {} }>;
}

export interface City {
  name: string;
  country: string;
  admin1: string;
  admin2: string;
  lat: number;
  lng: number;
  visitors?: number;
}

export interface Country {
  name: CountryName;
  /** The two letters of ISO 3166, also its id. */
  cca2: string;
  /** The three letters of ISO 3166, by which neighbours are named. */
  cca3: string;
  independent: boolean | null;
  unMember: boolean;
  currencies: CountryCurrency[];
  capital: string[];
  region: string;
  subregion: string;
  languages: { [key: string]: string };
  translations: { [key: string]: CountryName };
  latlng: number[];
  landlocked: boolean;
  borders: string[];
  /** Square kilometres; negative where nobody knows. */
  area: number;
  visits?: number;
  tags?: string[];
  notes?: CountryNote[];
}

export interface CountryName {
  common: string;
  official: string;
}

export interface CountryCurrency {
  code: string;
  name: string;
  symbol: string;
}

export interface CountryNote {
  by: string;
  stars: number;
}
