import type { ObjectValue } from "#protocol/values";
import type { AdminScope } from "../access/authorize.ts";
import type { RuledPrincipal } from "../access/caller.ts";
import type { UserPrincipal } from "../access/principal.ts";
import type { Action } from "../access/scopes.ts";

/** Who is meant: nobody, a person, or somebody with these roles and claims who need not exist. */
export type Identity = Readonly<Record<string, unknown>>;

/** What `POST /v1/admin/rules/simulate` takes; access-rules.md 9. What is `unknown` is parsed by the service. */
export interface SimulateBody {
  readonly as: Identity;
  readonly action: Action;
  readonly collection: string;
  readonly id?: string;
  /** In place of what is stored; of a create, what is created. */
  readonly document?: unknown;
  /** PATCH. */
  readonly update?: unknown;
  /** PUT. */
  readonly next?: unknown;
  readonly filter?: unknown;
  readonly request?: { readonly ip?: string; readonly origin?: string };
  /** ISO 8601; now, if it is left out. */
  readonly at?: string;
  /** A draft, in place of the rules in force. */
  readonly rules?: unknown;
}

export interface WhoBody {
  readonly collection: string;
  readonly id: string;
}

export interface ImpactBody {
  readonly rules: unknown;
  readonly as: readonly Identity[];
  /** Documents of each collection that are looked at. */
  readonly sample?: number;
}

/** People, as accounts know them. */
export interface RulePeople {
  one(id: string): Promise<UserPrincipal | undefined>;
  some(limit: number): Promise<{ readonly people: readonly UserPrincipal[]; readonly more: boolean }>;
}

/** A request that the rules denied, as its own sender sent it. */
export interface DeniedRequest {
  readonly principal: RuledPrincipal;
  readonly action: Action;
  readonly collection: string;
  readonly id?: string | undefined;
  /** Of a create, a PATCH and a PUT; as far as it was read. */
  readonly document?: unknown;
  readonly update?: unknown;
  readonly next?: unknown;
  readonly filter?: unknown;
}

/**
 * Why somebody may, or may not (access-rules.md 9). Answers show documents, people and what lookups find, so besides
 * `admin:rules:read` each needs the scope to `get` what it shows.
 */
export interface ExplainService {
  simulate(scope: AdminScope, body: SimulateBody): Promise<ObjectValue>;
  /** Which of up to 1,000 people may `get` a document. @throws GalleyError `not_found` */
  who(scope: AdminScope, body: WhoBody): Promise<ObjectValue>;
  /** What a draft would change, for each identity and collection. */
  impact(scope: AdminScope, body: ImpactBody): Promise<ObjectValue>;
  /** A denial that was, and what is denied now. @throws GalleyError `not_found` */
  denial(scope: AdminScope, requestId: string): Promise<ObjectValue>;
  /** Why a request was denied just now: for development mode only. */
  why(denied: DeniedRequest): Promise<ObjectValue>;
  /** A collection that is there, and that one which is not comes closest to. */
  meant(collection: string): string | undefined;
}
