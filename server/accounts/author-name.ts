import type { Principal } from "../access/principal.ts";
import type { DocumentStore } from "../stores/document-store.ts";
import { KEYS, readKey } from "./keys/key-records.ts";
import { findUser } from "./users.ts";

/** How people know an admin or a service key: by a name, else an address. Undefined where nothing is stored of them. */
export async function authorName(store: DocumentStore, principal: Principal): Promise<string | undefined> {
  if (principal.kind === "key") {
    const [row] = await store.get(KEYS, [principal.id]);
    return row && readKey(row).name;
  }
  if (principal.kind !== "admin") return undefined;
  const admin = await findUser(store, "admin", principal.id);
  return admin?.name ?? admin?.email;
}
