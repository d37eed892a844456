import type { AccessClaims } from "../../server/accounts/sessions/access-token.ts";
import { Bearer } from "../../server/accounts/sessions/bearer.ts";
import { createPrincipalTable } from "../../server/accounts/sessions/principals.ts";
import type { SessionRecord } from "../../server/accounts/sessions/sessions.ts";
import type { DocumentStore } from "../../server/stores/document-store.ts";
import type { SessionNodes } from "./session-nodes.ts";
import type { Teardown } from "./teardown.ts";

export type Table = ReturnType<typeof openTable>;

/** A table that is asked by the same claims again, as of a token that is known, finds what it noted on them. */
export function openTable(t: Teardown, { time }: SessionNodes, store: DocumentStore) {
  const table = createPrincipalTable({ store, clock: () => time.now });
  t.teardown(() => table.close());
  const bearers = new Map<AccessClaims, Bearer>();
  return {
    of(claims: AccessClaims) {
      const bearer = bearers.get(claims) ?? new Bearer(claims);
      bearers.set(claims, bearer);
      return table.of(bearer, time.now);
    },
  };
}

export function claimsOf({ pool, user, id }: SessionRecord): AccessClaims {
  return { pool, user, session: id, issuedAt: 0, expiresAt: 1 };
}
