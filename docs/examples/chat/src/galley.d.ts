// Written by `galley types` from a server's collections. What is changed here is lost.
import type { Defined } from "@galley/sdk";

export interface Schema {
  members: Defined<Member, { refs: { room: "rooms"; user: "users" } }>;
  messages: Defined<Message, { refs: { author: "users"; room: "rooms" } }>;
  reads: Defined<Read, { refs: {} }>;
  rooms: Defined<Room, { refs: { founder: "users" } }>;
  typing: Defined<Typing, { refs: { room: "rooms"; user: "users" } }>;
  users: Defined<User, { refs: {} }>;
}

export interface Member {
  room: string;
  user: string;
}

export interface Message {
  room: string;
  author: string;
  text: string;
}

export interface Read {
  rooms: { [key: string]: Date };
}

export interface Room {
  name: string;
  founder: string;
}

export interface Typing {
  room: string;
  user: string;
  at: Date;
}

export interface User {
  handle: string;
  name: string;
}
