import { type Faults, GalleyError } from "#protocol/errors";
import type { ObjectValue } from "#protocol/values";
import type { Principal, UserPrincipal } from "../access/principal.ts";
import type { Write } from "../stores/document-store.ts";
import type { Entered } from "./entry.ts";
import { principalOf, signedIn } from "./sessions/signed-in.ts";

/**
 * People's public profiles: documents of the app's collection `users`, each with its person's id (accounts.md 1.2). Whoever
 * keeps documents hands this in: how a document is made, and whether its maker may, is decided there.
 */
export interface Profiles {
  /** The profile of a body, as a document's own fields. */
  read(input: unknown, faults: Faults): ObjectValue;
  /**
   * Decides on a profile, made by the person whom it is about, as the app's rules and the schema want it.
   *
   * @throws GalleyError what ends such a create: `permission_denied`, `schema_violation`; `invalid_argument` if there is one
   */
  made(person: UserPrincipal, fields: ObjectValue): Promise<NewProfile>;
}

/** A profile that may be stored, in the commit that makes its person. */
export interface NewProfile {
  readonly write: Write;
  /** Whether a profile changes what somebody may do. */
  readonly grantsRights: boolean;
  /** Whether what was decided holds still; asked in the turn of the commit. */
  holds(): boolean;
  /** What its person is told if the store refuses the write; {@link isOfProfile} knows it. */
  refusal(error: GalleyError): GalleyError;
}

/** The profile of somebody who comes in, decided as the person whom every later request will meet; undefined: none was sent. */
export async function profileOf(
  { profiles }: { readonly profiles: Profiles },
  { user, session }: Entered,
  fields: ObjectValue | undefined,
  by: Principal,
): Promise<NewProfile | undefined> {
  if (fields === undefined) return undefined;
  const person = principalOf(signedIn(user, session), by.address, "origin" in by ? by.origin : undefined);
  return person.kind === "user" ? profiles.made(person, fields) : undefined;
}

/**
 * Decides, to store nothing, on the profile of somebody who is not made yet: an address that nobody has proven so far counts
 * for nothing. @throws GalleyError as {@link Profiles.made}
 */
export async function rehearseProfile(
  { profiles }: { readonly profiles: Profiles },
  fields: ObjectValue,
  by: Principal,
  newcomer: { readonly id: string; readonly now: number },
): Promise<void> {
  const { address } = by;
  const person: UserPrincipal = {
    ...{ kind: "user", id: newcomer.id, session: "", provedAt: newcomer.now, address },
    ...{ guest: false, email: undefined, roles: [], claims: {} },
    ...("origin" in by && by.origin !== undefined && { origin: by.origin }),
  };
  // A guest who becomes somebody keeps the id and the rights.
  await profiles.made(by.kind === "user" ? { ...by, guest: false } : person, fields);
}

/** Whether a profile is what was refused, and not the person. */
export function isOfProfile(error: unknown): boolean {
  return error instanceof GalleyError && /^profile\b/.test(String(error.details.field));
}
