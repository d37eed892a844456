import { createHmac, timingSafeEqual } from "node:crypto";
import { GalleyError } from "#protocol/errors";
import { idFault } from "#protocol/id";
import type { ObjectValue } from "#protocol/values";
import type { DocumentStore, Row, StoredCollection, Write } from "../../stores/document-store.ts";
import { fresh, putRecord, recordsWhere, removeRecord, type Stored, storedOf } from "../record.ts";
import type { Pool } from "../users.ts";
import type { DerivedKey, DerivedKeys } from "./derived-keys.ts";

/** What a secret is good for; accounts.md 4. `nothing`: for one that must look like another and never succeed. */
export type SecretKind =
  | "set-up"
  | "invite"
  | "sign-up"
  | "email-proof"
  | "email-change"
  | "password-reset"
  | "nothing";

/** A single-use secret as it is stored: its forms as hashes, and what it was made for. */
export interface SecretRecord extends Stored {
  readonly kind: SecretKind;
  readonly pool: Pool;
  /** Whose it is, once there is such a person. */
  readonly user?: string;
  /** It holds only as long as the person's credentials have this version. */
  readonly credentialVersion?: number;
  /** HMAC, hex: a new `GALLEY_SECRET` ends it. */
  readonly link: string;
  /** HMAC, hex, of what binds a code to the device that asked for it. */
  readonly challenge?: string;
  /** HMAC of the six digits. */
  readonly code?: string;
  /** Codes that were tried. */
  readonly tries: number;
  readonly expiresAt: Date;
  /** Until when the code holds; the link may hold longer. */
  readonly codeUntil?: Date;
  /** What the effect needs. */
  readonly data: ObjectValue;
}

/** What a new secret is for. */
export interface SecretRequest extends Pick<SecretRecord, "kind" | "pool" | "user" | "credentialVersion" | "data"> {
  readonly lifeSeconds: number;
  /** Also makes a challenge and a code of six digits, which holds that long. */
  readonly codeSeconds?: number;
}

/** A secret in the forms that leave the server, once: `link` and `code` by mail, `challenge` to who asked. */
export interface NewSecret {
  readonly record: SecretRecord;
  readonly link: string;
  readonly challenge?: string;
  readonly code?: string;
  /** Stores it. */
  readonly write: Write;
}

export const SECRETS: StoredCollection = {
  name: "_secrets",
  indexes: [{ paths: ["user"] }, { paths: ["expiresAt"] }],
};
const ID_BYTES = 16;
const SECRET_BYTES = 32;
const MOST_TRIES = 5;
/** `<id>.<256 bits>`, both base64url. */
const FORM = /^([A-Za-z0-9_-]{22})\.([A-Za-z0-9_-]{43})$/;

/** Secrets that work once: accounts.md 4. Whoever uses one removes it in the commit of its effect. */
export interface Secrets {
  make(request: SecretRequest): NewSecret;
  /** @throws GalleyError `secret_invalid`, the same whatever is wrong */
  byLink(kinds: readonly SecretKind[], link: string): Promise<SecretRecord>;
  /**
   * Counts the try before it judges the code.
   * @param admit is asked first whether its account may try another code
   * @throws GalleyError `secret_invalid`
   */
  byCode(
    kinds: readonly SecretKind[],
    given: { readonly challenge: string; readonly code: string },
    admit: (secret: SecretRecord) => Promise<void>,
  ): Promise<SecretRecord>;
  /** The secret that a challenge belongs to, for a new mail. @throws GalleyError `secret_invalid` */
  byChallenge(kinds: readonly SecretKind[], challenge: string): Promise<SecretRecord>;
  /** What voids a person's secrets, of some kinds or all. */
  voided(user: string, kinds?: readonly SecretKind[]): Promise<Write[]>;
}

export interface SecretsOptions {
  readonly store: DocumentStore;
  readonly keys: DerivedKeys;
  readonly clock: () => number;
  readonly random: (bytes: number) => Uint8Array;
}

export function createSecrets({ store, keys, clock, random }: SecretsOptions): Secrets {
  const text = (bytes: number) => Buffer.from(random(bytes)).toString("base64url");

  return {
    make({ lifeSeconds, codeSeconds, ...what }) {
      const now = clock();
      const id = text(ID_BYTES);
      const link = text(SECRET_BYTES);
      const common = { ...fresh(id, now), ...what, link: macs("link", link)[0], tries: 0 };
      const expiresAt = new Date(now + Math.max(lifeSeconds, codeSeconds ?? 0) * 1000);
      if (codeSeconds === undefined) {
        const record: SecretRecord = { ...common, expiresAt };
        return { record, link: `${id}.${link}`, write: write(record, now) };
      }
      const challenge = text(SECRET_BYTES);
      const code = sixDigits(random);
      const record: SecretRecord = {
        ...common,
        expiresAt,
        codeUntil: new Date(now + codeSeconds * 1000),
        challenge: macs("link", challenge)[0],
        code: macs("code", `${id}.${code}`)[0],
      };
      return { record, link: `${id}.${link}`, challenge: `${id}.${challenge}`, code, write: write(record, now) };
    },

    async byLink(kinds, link) {
      const found = await find(link, ({ link: hash }) => hash);
      if (!found || !kinds.includes(found.kind)) throw secretInvalid();
      return found;
    },

    async byCode(kinds, { challenge, code }, admit) {
      for (let first = true; ; first = false) {
        const found = await find(challenge, ({ challenge: hash }) => hash);
        if (!found || !isOpen(found)) throw secretInvalid();
        if (first) await admit(found);
        const counted = { ...found, tries: found.tries + 1 };
        const counting = write(counted, clock());
        try {
          await store.commit([counting]);
        } catch (error) {
          // Somebody else tried, or it is used up. Who counted first is judged first, and there are few tries.
          if (isConflict(error)) continue;
          throw error;
        }
        const right = macs("code", `${found.id}.${code}`).some((mac) => sameText(mac, found.code ?? ""));
        if (!right || !kinds.includes(found.kind)) throw secretInvalid();
        return { ...counted, version: counting.kind === "put" ? counting.version : found.version };
      }
    },

    async byChallenge(kinds, challenge) {
      const found = await find(challenge, ({ challenge: hash }) => hash);
      if (!found || !kinds.includes(found.kind)) throw secretInvalid();
      return found;
    },

    async voided(user, kinds) {
      const rows = await recordsWhere(store, SECRETS.name, "user", user);
      const secrets = rows.map(readSecret).filter(({ kind }) => !kinds || kinds.includes(kind));
      return secrets.map((secret) => removeRecord(SECRETS.name, secret));
    },
  };

  function write(secret: SecretRecord, now: number): Write {
    const { id, version, createdAt, ...fields } = secret;
    return putRecord(store, SECRETS.name, { id, version, createdAt }, fields, now);
  }

  /** The live secret that a text names and proves. */
  async function find(
    given: string,
    hashIn: (secret: SecretRecord) => string | undefined,
  ): Promise<SecretRecord | undefined> {
    const [, id, secret] = FORM.exec(given) ?? [];
    if (id === undefined || secret === undefined || idFault(id) !== undefined) return undefined;
    const [row] = await store.get(SECRETS.name, [id]);
    const record = row && readSecret(row);
    if (!record || record.expiresAt.getTime() <= clock()) return undefined;
    return macs("link", secret).some((mac) => sameText(mac, hashIn(record) ?? "")) ? record : undefined;
  }

  function isOpen({ tries, codeUntil }: SecretRecord): boolean {
    return tries < MOST_TRIES && codeUntil !== undefined && codeUntil.getTime() > clock();
  }

  /** What a text may be stored as: under the newest key first. */
  function macs(purpose: "code" | "link", text: string): readonly [string, ...string[]] {
    const [newest, ...older] = keys.of(purpose);
    const mac = ({ bytes }: DerivedKey): string => createHmac("sha256", bytes).update(text).digest("hex");
    return [mac(newest), ...older.map(mac)];
  }
}

/** What uses a secret up, as part of the commit of its effect. */
export function consumption(secret: SecretRecord): Write {
  return removeRecord(SECRETS.name, secret);
}

/** Wrong, used, expired, foreign, tried too often: whoever asks is told one thing. */
export function secretInvalid(): GalleyError {
  return new GalleyError("unauthenticated", "the link or code is not valid any more: ask for a new one", {
    reason: "secret_invalid",
    outcome: "not_applied",
  });
}

function readSecret(row: Row): SecretRecord {
  const { value } = row;
  return {
    ...storedOf(row),
    kind: value.kind as SecretKind,
    pool: value.pool as Pool,
    link: String(value.link),
    tries: Number(value.tries),
    expiresAt: value.expiresAt as Date,
    data: value.data as ObjectValue,
    ...(value.user !== undefined && { user: String(value.user) }),
    ...(value.credentialVersion !== undefined && { credentialVersion: Number(value.credentialVersion) }),
    ...(value.challenge !== undefined && { challenge: String(value.challenge) }),
    ...(value.code !== undefined && { code: String(value.code) }),
    ...(value.codeUntil instanceof Date && { codeUntil: value.codeUntil }),
  };
}

/** Each of the million codes is equally likely. */
function sixDigits(random: (bytes: number) => Uint8Array): string {
  for (;;) {
    const number = Buffer.from(random(4)).readUInt32BE();
    if (number < 4_294_000_000) return `${number % 1_000_000}`.padStart(6, "0");
  }
}

function sameText(a: string, b: string): boolean {
  return a.length === b.length && timingSafeEqual(Buffer.from(a), Buffer.from(b));
}

function isConflict(error: unknown): boolean {
  return error instanceof GalleyError && error.code === "version_conflict";
}
