/** Schemes whose addresses run or read something where they are opened, instead of leading to an app. */
const REFUSED_SCHEMES =
  /^(?:javascript|data|vbscript|blob|file|filesystem|about|view-source|ftp|wss?|mailto|tel|sms):$/;
const LOOPBACK = /^(?:localhost|127(?:\.\d{1,3}){3}|\[::1\])$/;
const MAX_CHARACTERS = 2000;

/**
 * What is wrong with an address of the app to which links and redirects may lead; undefined if nothing is. Addresses are
 * compared whole and as text, so there is one way to write each (accounts.md 9.4).
 */
export function appUrlFault(text: unknown): string | undefined {
  const example = "expects an address like https://app.example.com/ or com.example.app:/signed-in";
  if (typeof text !== "string" || text.length > MAX_CHARACTERS || !/^[\x21-\x7e]+$/.test(text)) return example;
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (!url || REFUSED_SCHEMES.test(url.protocol)) return example;
  if (/[*\\]/.test(text)) return "expects one exact address, without * and \\";
  if (/[?#]/.test(text) || url.username !== "" || url.password !== "") {
    return "expects scheme, host, port and path only, without a user, ? and #";
  }
  if (url.protocol === "http:" && !LOOPBACK.test(url.hostname)) return "expects https: http is for this machine only";
  return url.href === text ? undefined : `expects it written as ${url.href}`;
}
