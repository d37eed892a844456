import { isIP } from "node:net";
import { resolve } from "node:path";

/** `galley dev` and `galley start`; configuration.md "Two modes". */
export type Mode = "development" | "production";

/** Turns a variable's text into its value. @throws Error saying what it expects */
export type Parse<T> = (text: string, mode: Mode) => T;

const SECRET_BYTES = 32;

export function host(text: string): string {
  if (isIP(text) !== 0 || /^[A-Za-z0-9](?:[A-Za-z0-9.-]*[A-Za-z0-9])?$/.test(text)) return text;
  throw new Error(`expects an address or host name to listen on, got ${JSON.stringify(text)}`);
}

export function port(text: string): number {
  if (/^[0-9]{1,5}$/.test(text) && Number(text) <= 65535) return Number(text);
  throw new Error(`expects a port from 0 to 65535, got ${JSON.stringify(text)}`);
}

export function folder(text: string): string {
  if (text === "" || text.includes("\0")) throw new Error("expects the path of a folder");
  return resolve(text);
}

/** What it says of a fault never shows the text, which may hold a password. */
export function mongodbUrl(text: string): string {
  const parts = /^mongodb(?:\+srv)?:\/\/[^/?#\s]+(?:\/([^?#\s]*))?(?:\?[^#\s]*)?$/.exec(text);
  if (!parts) throw new Error("expects mongodb://host:port/database?replicaSet=name");
  if (/[/\\. "$*<>:|]|^.{64}/.test(parts[1] ?? "")) {
    throw new Error(
      'expects a database after the host that has at most 63 characters and none of / \\ . " $ * < > : |',
    );
  }
  return text;
}

export function secrets(text: string, mode: Mode): string[] {
  const list = text.split(",");
  if (list.length > 2) throw new Error("expects one secret, or two as new,old while rotating");
  for (const secret of list) {
    if (Buffer.byteLength(secret) < SECRET_BYTES)
      throw new Error(`expects at least ${SECRET_BYTES} bytes in each secret`);
    refuseExample(secret, mode);
  }
  return list;
}

export function serviceKey(text: string, mode: Mode): string {
  if (!/^gsk_[A-Za-z0-9_]{32,}$/.test(text)) {
    throw new Error("expects gsk_ and at least 32 further characters of A-Z a-z 0-9 _");
  }
  refuseExample(text.slice("gsk_".length), mode);
  return text;
}

/** A secret copied from a page, or typed with one finger, protects nothing; development may have it easy. */
function refuseExample(secret: string, mode: Mode): void {
  if (mode === "development") return;
  const example = /change.?me|example|placeholder|your.?secret|replace.?me/i.test(secret);
  if (example || new Set(secret).size < 4) throw new Error("looks like an example; expects a random value");
}

/** What it says of a fault never shows the text, which may hold a password. */
export function smtpUrl(text: string): string {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  const plain =
    url && /^smtps?:$/.test(url.protocol) && /^[\w.:[\]-]+$/.test(url.hostname) && /^\/?$/.test(url.pathname);
  if (!plain || /[?#\s]/.test(text) || !isDecodable(url.username) || !isDecodable(url.password)) {
    throw new Error("expects smtp://user:password@host:port or smtps://…, with %-escapes for signs like @ and /");
  }
  if ((url.username === "") !== (url.password === "")) throw new Error("expects a user and a password, or neither");
  return text;
}

function isDecodable(text: string): boolean {
  try {
    decodeURIComponent(text);
    return true;
  } catch {
    return false;
  }
}

/** `ada@example.org` or `Ada <ada@example.org>`. */
export function mailAddress(text: string): { readonly name?: string; readonly address: string } {
  const [, name = "", bracketed] = /^([^<>]*)<([^<>]*)>$/.exec(text.trim()) ?? [];
  const address = (bracketed ?? text).trim();
  const called = name.trim().replace(/^"(.*)"$/, "$1");
  if (
    !/^[\w.!#$%&'*+/=?^`{|}~-]{1,64}@[A-Za-z0-9](?:[A-Za-z0-9.-]*[A-Za-z0-9])?$/.test(address) ||
    /\p{Cc}/u.test(text)
  ) {
    throw new Error(`expects an address like mail@example.com or App <mail@example.com>, got ${JSON.stringify(text)}`);
  }
  return Object.freeze(called === "" ? { address } : { name: called, address });
}

export function publicUrl(text: string): string {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  const plain = url && /^https?:$/.test(url.protocol) && url.pathname === "/" && !/[?#@]/.test(text);
  if (!plain) throw new Error(`expects an address like https://api.example.com, got ${JSON.stringify(text)}`);
  return url.origin;
}

export function origins(text: string): string[] {
  return items(text).map((item) => {
    const url = URL.canParse(item) ? new URL(item) : undefined;
    if (url && url.origin !== "null" && (item === url.origin || item === `${url.origin}/`)) return url.origin;
    throw new Error(`expects origins like https://app.example.com with commas between, got ${JSON.stringify(item)}`);
  });
}

export function networks(text: string): string[] {
  return items(text).map((item) => {
    const [address = "", bits, ...rest] = item.split("/");
    const version = isIP(address);
    const max = version === 4 ? 32 : 128;
    const valid = bits === undefined || (/^[0-9]{1,3}$/.test(bits) && Number(bits) <= max);
    if (version !== 0 && valid && rest.length === 0) return item;
    throw new Error(`expects addresses or networks like 10.0.0.0/8 with commas between, got ${JSON.stringify(item)}`);
  });
}

function items(text: string): string[] {
  return text
    .split(",")
    .map((item) => item.trim())
    .filter((item) => item !== "");
}

export function oneOf<const T extends string>(values: readonly T[]): Parse<T> {
  return (text) => {
    const found = values.find((value) => value === text);
    if (found === undefined) throw new Error(`expects one of ${values.join(", ")}, got ${JSON.stringify(text)}`);
    return found;
  };
}
