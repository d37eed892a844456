import { createCipheriv, createDecipheriv } from "node:crypto";
import type { DerivedKey, DerivedKeys } from "./derived-keys.ts";

/** Hides texts that are stored and read again by the server itself. */
export interface Seal {
  /** @param context where the text belongs, as `_mail/<id>`: it opens nowhere else */
  seal(text: string, context: string): string;
  /** undefined if it was changed, sealed for another context, or under a secret that is not known any more */
  open(sealed: string, context: string): string | undefined;
}

const ALGORITHM = "aes-256-gcm";
/** NIST SP 800-38D 8.2.2: random, so one key seals no more than 2^32 texts. */
const NONCE_BYTES = 12;
const TAG_BYTES = 16;
/** `<kid>.<nonce and cipher text and tag>`, the latter in base64url. */
const FORM = /^([0-9a-f]+)\.([A-Za-z0-9_-]+)$/;

export function createSeal({
  keys,
  random,
}: {
  readonly keys: DerivedKeys;
  readonly random: (bytes: number) => Uint8Array;
}): Seal {
  const [newest] = keys.of("seal");

  return {
    seal(text, context) {
      const nonce = random(NONCE_BYTES);
      const cipher = createCipheriv(ALGORITHM, newest.bytes, nonce, { authTagLength: TAG_BYTES });
      cipher.setAAD(authenticated(newest, context));
      const parts = [nonce, cipher.update(text, "utf8"), cipher.final(), cipher.getAuthTag()];
      return `${newest.kid}.${Buffer.concat(parts).toString("base64url")}`;
    },

    open(sealed, context) {
      const [, kid, text] = FORM.exec(sealed) ?? [];
      const key = keys.of("seal").find((one) => one.kid === kid);
      const bytes = Buffer.from(text ?? "", "base64url");
      if (!key || bytes.length < NONCE_BYTES + TAG_BYTES) return undefined;
      const nonce = bytes.subarray(0, NONCE_BYTES);
      const decipher = createDecipheriv(ALGORITHM, key.bytes, nonce, { authTagLength: TAG_BYTES });
      decipher.setAAD(authenticated(key, context));
      decipher.setAuthTag(bytes.subarray(-TAG_BYTES));
      const opened = decipher.update(bytes.subarray(NONCE_BYTES, -TAG_BYTES));
      try {
        return Buffer.concat([opened, decipher.final()]).toString("utf8");
      } catch {
        // The tag does not fit: what was deciphered is nobody's text.
        return undefined;
      }
    },
  };
}

/** Not secret, but changed by nobody: no two pairs have the same text. */
function authenticated({ kid }: DerivedKey, context: string): Buffer {
  return Buffer.from(`${kid} ${context}`, "utf8");
}
