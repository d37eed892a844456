import { createHash, hkdfSync } from "node:crypto";

/** A key for one purpose, made of one secret of `GALLEY_SECRET`. */
export interface DerivedKey {
  /** A prefix of the key's SHA-256: names it in what it made, and tells nothing about it. */
  readonly kid: string;
  readonly bytes: Uint8Array;
}

/** What keys are for; none of them is good for anything else. `check`: for nothing, but its name tells secrets apart. */
export type KeyPurpose = "access" | "refresh" | "code" | "link" | "seal" | "device" | "check";

export interface DerivedKeys {
  /** The first makes, all check: so a secret is replaced without ending what it made. */
  of(purpose: KeyPurpose): readonly [DerivedKey, ...DerivedKey[]];
}

const KEY_BYTES = 32;
const KID_LENGTH = 16;

/**
 * Derives the keys of all purposes by HKDF-SHA-256 (RFC 5869), one label each; accounts.md 2.6.
 *
 * @param secrets newest first, at least one
 */
export function deriveKeys(secrets: readonly string[]): DerivedKeys {
  const [newest, ...older] = secrets;
  if (newest === undefined) throw new Error("keys are made of at least one secret");
  const of = (purpose: KeyPurpose) =>
    [derive(newest, purpose), ...older.map((secret) => derive(secret, purpose))] as const;
  const keys: Readonly<Record<KeyPurpose, readonly [DerivedKey, ...DerivedKey[]]>> = {
    access: of("access"),
    refresh: of("refresh"),
    code: of("code"),
    link: of("link"),
    seal: of("seal"),
    device: of("device"),
    check: of("check"),
  };
  return { of: (purpose) => keys[purpose] };
}

function derive(secret: string, purpose: KeyPurpose): DerivedKey {
  const bytes = new Uint8Array(hkdfSync("sha256", secret, "", purpose, KEY_BYTES));
  return { kid: createHash("sha256").update(bytes).digest("hex").slice(0, KID_LENGTH), bytes };
}
