import { domainToASCII } from "node:url";

/** RFC 5321 4.5.3.1.3, without the angle brackets. */
const MAX_BYTES = 254;
const MAX_LOCAL = 64;
/** Atoms of RFC 5322 3.2.3 with single dots between them; quoted local parts are refused. */
const LOCAL = /^[a-z0-9!#$%&'*+/=?^_`{|}~-]+(?:\.[a-z0-9!#$%&'*+/=?^_`{|}~-]+)*$/i;
/** What the URL parser in `domainToASCII` would cut off, skip or decode: an address with such a sign is another's, or none. */
const NO_HOST = /[\s/?#\\%:]/;
const LABEL = /^[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$/;

/** A mail address; accounts.md 1.4. */
export interface Address {
  /** Where mail goes: as it was given, its host in ASCII. */
  readonly email: string;
  /** Equal for addresses that are taken to be one: in lower case. Plus signs and dots count. */
  readonly key: string;
}

/** Reads an address; undefined if it is none that mail can be sent to. */
export function readEmail(input: string): Address | undefined {
  if (input.length > 4 * MAX_BYTES) return undefined;
  const text = input.trim().normalize("NFKC");
  const at = text.lastIndexOf("@");
  const local = text.slice(0, Math.max(at, 0));
  if (local.length > MAX_LOCAL || !LOCAL.test(local)) return undefined;
  const named = text.slice(at + 1).replace(/\.$/, "");
  const host = NO_HOST.test(named) ? "" : domainToASCII(named);
  if (!isHost(host)) return undefined;
  const email = `${local}@${host}`;
  return email.length > MAX_BYTES ? undefined : { email, key: email.toLowerCase() };
}

/** A name, not an address: one whose last label is a number would be read as IPv4. */
function isHost(host: string): boolean {
  const labels = host.split(".");
  return labels.every((label) => LABEL.test(label)) && !/^\d+$/.test(labels.at(-1) ?? "");
}
