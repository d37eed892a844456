import { TRUE } from "#protocol/ast";
import type { UserPrincipal } from "../access/principal.ts";
import type { DocumentStore } from "../stores/document-store.ts";
import { findUser, readUser, type UserRecord, userCollection } from "./users.ts";

const BY_ID = [{ path: ["_id"], descending: false }];
const QUERY_MILLISECONDS = 10_000;

/** People as access rules know them, without a session: for explanations of what they may do. */
export function createRulePeople(store: DocumentStore) {
  return {
    /** Undefined: there is no such person. */
    async one(id: string): Promise<UserPrincipal | undefined> {
      const user = await findUser(store, "user", id);
      return user && asPrincipal(user);
    },
    /** Those who may sign in, in the order of their ids. */
    async some(limit: number): Promise<{ people: readonly UserPrincipal[]; more: boolean }> {
      const { rows, more } = await store.find({
        ...{ collection: userCollection("user"), filter: TRUE, sort: BY_ID, limit },
        budget: { candidates: Number.POSITIVE_INFINITY, milliseconds: QUERY_MILLISECONDS },
      });
      const people = rows.map((row) => readUser("user", row)).filter(({ disabledAt }) => disabledAt === undefined);
      return { people: people.map(asPrincipal), more };
    },
  };
}

function asPrincipal({ id, guest, roles, claims, emailProvenAt, emailKey }: UserRecord): UserPrincipal {
  const email = emailProvenAt && emailKey;
  return { kind: "user", id, session: "", provedAt: 0, address: "", guest, roles, claims, email };
}
