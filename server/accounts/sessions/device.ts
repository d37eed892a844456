import { isIP } from "node:net";

/** From where a request came: what lists of devices, mails and audit lines tell of it. */
export interface Visit {
  readonly address: string;
  readonly userAgent: string;
  readonly requestId: string;
}

/** A device as its person may know it again. Plain short texts, whatever the device said; empty if it told nothing. */
export interface Device {
  /** What its person calls it. */
  readonly name?: string;
  readonly os: string;
  readonly app: string;
}

/** Characters. */
const MAX_NAME = 60;
/** Characters of a User-Agent that are looked at; browsers' have about 120. */
const MAX_USER_AGENT = 512;

/** The /24 of an IPv4 address or the /48 of an IPv6 one, as text; empty if it is none. */
export function networkOf(address: string): string {
  const [bare = ""] = address.split("%");
  const family = isIP(bare);
  if (family === 0) return "";
  const bytes = family === 4 ? bare.split(".").map(Number) : ipv4Within(groupsOf(bare));
  if (bytes) return `${bytes.slice(0, 3).join(".")}.0/24`;
  const groups = groupsOf(bare).slice(0, 3);
  while (groups.at(-1) === 0) groups.pop();
  return `${groups.map((group) => group.toString(16)).join(":")}::/48`;
}

/** The eight groups of an IPv6 address (RFC 4291 2.2). */
function groupsOf(address: string): number[] {
  const [head = [], tail = []] = address.split("::").map((half) => half.split(":").filter(Boolean).flatMap(groupOf));
  const left = Math.max(0, 8 - head.length - tail.length);
  return [...head, ...Array<number>(left).fill(0), ...tail];
}

/** One group, or the two that stand as an IPv4 address at the end. */
function groupOf(text: string): number[] {
  if (!text.includes(".")) return [Number.parseInt(text, 16)];
  const [a = 0, b = 0, c = 0, d = 0] = text.split(".").map(Number);
  return [a * 256 + b, c * 256 + d];
}

/** The IPv4 address that a socket for both families shows as IPv6 (RFC 4291 2.5.5.2). */
function ipv4Within(groups: readonly number[]): number[] | undefined {
  const [high = 0, low = 0] = groups.slice(6);
  const mapped = groups.slice(0, 5).every((group) => group === 0) && groups[5] === 0xffff;
  return mapped ? [high >> 8, high & 0xff, low >> 8, low & 0xff] : undefined;
}

/** The first that fits counts: a system names older ones after itself, for the sake of old pages. */
const SYSTEMS: readonly (readonly [RegExp, string])[] = [
  [/iPad/, "iPadOS"],
  [/iPhone|iPod/, "iOS"],
  [/Android/, "Android"],
  [/CrOS/, "ChromeOS"],
  [/Windows/, "Windows"],
  [/Macintosh|Mac OS X|macOS/, "macOS"],
  // An app of Apple's systems that speaks for itself does not tell which.
  [/Darwin\//, "iOS or macOS"],
  [/Linux|X11/, "Linux"],
];

/** The first that fits counts: nearly all claim to be Safari, and most to be Chrome. */
const APPS: readonly (readonly [RegExp, string])[] = [
  [/\bFB(?:AN|AV)\//, "Facebook"],
  [/\bInstagram /, "Instagram"],
  [/\bEdg(?:e|A|iOS)?\//, "Edge"],
  [/\b(?:OPR|OPiOS|Opera)\//, "Opera"],
  [/\bSamsungBrowser\//, "Samsung Internet"],
  [/\bYaBrowser\//, "Yandex Browser"],
  [/\bVivaldi\//, "Vivaldi"],
  [/\bDuckDuckGo\//, "DuckDuckGo"],
  [/\bElectron\//, "Electron"],
  [/\b(?:Firefox|FxiOS)\//, "Firefox"],
  [/\b(?:HeadlessChrome|Chrome|CriOS|Chromium)\//, "Chrome"],
  [/\bVersion\/[0-9.]+ .*\bSafari\//, "Safari"],
  [/\b(?:MSIE |Trident\/)/, "Internet Explorer"],
];

/** What a program that is no browser begins with, as `curl/8.5.0` (RFC 9110 10.1.5): its name. */
const PRODUCT = /^(?!Mozilla\/)([A-Za-z][A-Za-z0-9_-]{0,39})(?=[/ (]|$)/;

/**
 * Tells a device by what its client says of itself, which proves nothing.
 * @param name as its person gave it
 */
export function deviceOf(userAgent: string, name?: string): Device {
  const text = userAgent.slice(0, MAX_USER_AGENT);
  const called = name === undefined ? "" : plainName(name);
  return {
    ...(called !== "" && { name: called }),
    os: firstOf(SYSTEMS, text) ?? "",
    app: firstOf(APPS, text) ?? PRODUCT.exec(text)?.[1] ?? "",
  };
}

function firstOf(table: readonly (readonly [RegExp, string])[], text: string): string | undefined {
  return table.find(([pattern]) => pattern.test(text))?.[1];
}

/**
 * A name on one line, without what steers a terminal or turns the direction of writing. It goes into mails, and whoever
 * has come by a password chooses it, so no mail program may make a link of it either.
 */
function plainName(name: string): string {
  const line = name.slice(0, 4 * MAX_NAME).replace(/[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}\s]+/gu, " ");
  const plain = line
    .replace(/[/\\:@<>]|\.(?=\p{L})/gu, " ")
    .replace(/ {2,}/g, " ")
    .trim();
  return [...plain].slice(0, MAX_NAME).join("").trim();
}
