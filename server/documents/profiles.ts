import { Faults, GalleyError } from "#protocol/errors";
import { encodeValue, type ObjectValue, utf8Length } from "#protocol/values";
import type { Authorizer, Scope } from "../access/authorize.ts";
import type { UserPrincipal } from "../access/principal.ts";
import type { DocumentStore, Write } from "../stores/document-store.ts";
import type { Definition } from "./definition-document.ts";
import type { DeniedRequest } from "./explain-contract.ts";
import { type Image, readDocument } from "./images.ts";
import { discreet, settled } from "./judgement.ts";
import { enforceSchema, operate } from "./operation.ts";
import { refused, withoutPlace } from "./refusal.ts";
import { dropped } from "./writing.ts";

/** The app's collection of public profiles; accounts.md 1.2. */
const PROFILES = "users";
/** Bytes of a profile's text: whoever sends it is nobody yet. */
const MAX_PROFILE = 64 * 1024;

export interface ProfileOptions {
  readonly store: DocumentStore;
  readonly access: Authorizer;
  /** Epoch milliseconds. */
  readonly clock: () => number;
  /** As it holds in this turn; undefined if there is no such collection. */
  readonly definitionOf: (collection: string) => Definition | undefined;
  /** Whether a write in a collection changes what somebody may do (access-rules.md 5.6). */
  readonly grantsRights: (collection: string) => boolean;
}

/** Profiles that come with a sign-up: documents like any other, created by the new person in the commit that makes them. */
export function createProfiles({ store, access, clock, definitionOf, grantsRights }: ProfileOptions) {
  return {
    read(input: unknown, faults: Faults): ObjectValue {
      const before = faults.list.length;
      const { id, fields } = readDocument(input, "profile", faults);
      if (id !== undefined) faults.add("profile._id", "reserved_field", "is the new person's id: leave it out");
      if (faults.list.length === before && utf8Length(encodeValue(fields)) > MAX_PROFILE) {
        faults.add("profile", "too_long", `is larger than ${MAX_PROFILE} bytes`);
      }
      return fields;
    },

    async made(person: UserPrincipal, fields: ObjectValue) {
      const scope = access.scope(person, PROFILES);
      try {
        scope.demand("create");
        const [stored] = await store.get(PROFILES, [person.id]);
        const made = await settled(scope, () => create(scope, person.id, fields));
        if (stored) demandNone();
        return made;
      } catch (error) {
        throw refused(ofProfile(error, () => new DeniedProfile(person, fields)));
      }
    },
  };

  /** Decides in one turn, whose definition and rights have to be those of the commit's turn. */
  function create(scope: Scope, id: string, fields: ObjectValue) {
    const definition = definitionOf(PROFILES);
    if (!definition) throw dropped();
    const { schema } = definition;
    const context = { scope, schema, now: new Date(clock()), nextVersion: () => store.nextVersion(0) };
    // A create leaves an image.
    const image = operate({ op: "create", id, fields }, undefined, context) as Image;
    enforceSchema(image, schema, "profile", scope);
    const { version, text } = image;
    const write: Write = { kind: "put", collection: PROFILES, id, expect: 0, version, text };
    return {
      write,
      grantsRights: grantsRights(PROFILES),
      holds: () => scope.current && definitionOf(PROFILES) === definition,
      refusal: (error: GalleyError) => ofProfile(discreet(scope, image, withoutPlace(error))) as GalleyError,
    };
  }
}

/** What the rules denied to somebody who is not there: the cause of the error, for whoever explains denials. */
export class DeniedProfile extends Error {
  // Not for the log, which tells of causes.
  readonly #person: UserPrincipal;
  readonly #fields: ObjectValue;

  constructor(person: UserPrincipal, fields: ObjectValue) {
    super("the rules deny this profile");
    this.#person = person;
    this.#fields = fields;
  }

  get denied(): DeniedRequest {
    const { id } = this.#person;
    const document: unknown = JSON.parse(encodeValue(this.#fields));
    return { principal: this.#person, action: "create", collection: PROFILES, id, document };
  }
}

/** The same error, said of the profile: whoever signs up sent more than that. */
function ofProfile(error: unknown, denied?: () => DeniedProfile): unknown {
  if (!(error instanceof GalleyError)) return error;
  if (error.code !== "permission_denied" && error.code !== "unique_violation") return error;
  const { field, index } = error.details;
  // An index on several paths names none of them.
  const inside = field ?? (index?.paths.length === 1 ? index.paths[0] : undefined);
  const at = inside === undefined ? "profile" : `profile.${inside}`;
  const message = `profile: ${error.message}`;
  const cause = error.code === "permission_denied" ? denied?.() : error.cause;
  return new GalleyError(error.code, message, { ...error.details, field: at }, cause);
}

/** Not `already_exists`: that is said of the address. @throws GalleyError `invalid_argument` */
function demandNone(): void {
  const faults = new Faults();
  faults.add(
    "profile",
    "bad_value",
    'you have one already: leave it out here, and change it in the collection "users"',
  );
  faults.throwIfAny();
}
