import { type Client, createClient, type Defined } from "@galley/sdk";

export interface Todo {
  title: string;
  done: boolean;
  n: number;
  size: bigint;
  status: "open" | "closed";
  due?: Date;
  note?: string | null;
  owner: string;
  tags: string[];
  photo?: Uint8Array;
  author: { name: string; address?: { city: string; zip: { code: number; parts: { a: { b: number } } } } };
  items: { name: string; price: number; by?: string; marks: number[] }[];
  scores: Record<string, number>;
  extra?: unknown;
}

export interface User {
  name: string;
}

/** A type without end. */
export type Tree = string | Tree[] | { below?: Tree; leaf?: number };

/** As somebody writes it by hand, and as `galley types` does. */
export interface Schema {
  plain: Todo;
  todos: Defined<Todo, { defaults: "done" | "n"; refs: { owner: "users"; tags: "users"; "items.by": "users" } }>;
  users: User;
  places: Defined<
    { at: { city: string; country: string }; stops: { city: string; nights: number }[] },
    { defaults: "at.country" | "stops.nights" }
  >;
  trees: { root: Tree; grid: { cell: number }[][] };
}

export const db: Client<Schema> = createClient<Schema>({ url: "http://localhost" });
export const todos = db.collection("todos");
export const plain = db.collection("plain");

/** Whether two types are the same, not merely assignable. */
export type Same<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false;
export function same<_Check extends true>(): void {}
