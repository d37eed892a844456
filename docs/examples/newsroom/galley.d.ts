// Written by `galley types` from a server's collections. What is changed here is lost.
import type { Defined } from "@galley/sdk";

export interface Schema {
  articles: Defined<Article, { defaults: "authorId" | "status"; refs: {} }>;
  memberships: Defined<Membership, { refs: {} }>;
  notes: Defined<Note, { defaults: "ownerId"; refs: {} }>;
  teams: Defined<Team, { refs: {} }>;
  users: Defined<User, { defaults: "verified"; refs: {} }>;
}

export interface Article {
  title: string;
  body?: string;
  authorId: string;
  teamId: string;
  remarks?: string;
  status?: "draft" | "published";
}

export interface Membership {
  teamId: string;
  userId: string;
  role: "lead" | "writer";
}

export interface Note {
  ownerId: string;
  text: string;
}

export interface Team {
  name: string;
}

export interface User {
  handle: string;
  address?: string;
  verified?: boolean;
}
