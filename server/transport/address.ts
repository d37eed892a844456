import type { IncomingMessage } from "node:http";
import { BlockList, isIP } from "node:net";

/**
 * Finds out where requests come from: the socket's peer, or, if that is a trusted proxy, the nearest address of
 * `X-Forwarded-For` that is none. Whatever stands left of it was written by the client and proves nothing (N01).
 *
 * @param onUnknownProxy told once of a peer that sends the header and is not trusted: if it is a proxy, everybody behind it
 *   counts as one (accounts.md 8.1)
 */
export function createAddresses(
  trustedProxies: readonly string[],
  onUnknownProxy: (address: string) => void = () => {},
): (request: IncomingMessage) => string {
  let told = false;
  const unknownProxy = (address: string) => {
    if (!told) onUnknownProxy(address);
    told = true;
    return address;
  };
  if (trustedProxies.length === 0) {
    return (request) => {
      const address = peerOf(request);
      return told || request.headers["x-forwarded-for"] === undefined ? address : unknownProxy(address);
    };
  }
  const trusted = new BlockList();
  for (const proxy of trustedProxies) {
    const [address = "", bits] = proxy.split("/");
    const family = isIP(address) === 4 ? "ipv4" : "ipv6";
    if (bits === undefined) trusted.addAddress(address, family);
    else trusted.addSubnet(address, Number(bits), family);
  }
  const isTrusted = remembering((address) => trusted.check(address, isIP(address) === 4 ? "ipv4" : "ipv6"));

  return (request) => {
    let address = peerOf(request);
    const forwarded = request.headers["x-forwarded-for"];
    if (typeof forwarded !== "string") return address;
    if (!isTrusted(address)) return unknownProxy(address);
    const hops = forwarded.split(",");
    while (isTrusted(address)) {
      const before = plain(hops.pop()?.trim() ?? "");
      if (isIP(before) === 0) return address;
      address = before;
    }
    return address;
  };
}

/** Addresses whose verdict is remembered: proxies, and clients that are about. To look one up takes 1 to 10 µs. */
const MOST_REMEMBERED = 1000;
/** Characters of one that are written in full. */
const LONGEST = 45;

function remembering(judge: (address: string) => boolean): (address: string) => boolean {
  const verdicts = new Map<string, boolean>();
  return (address) => {
    const known = verdicts.get(address);
    if (known !== undefined) return known;
    const verdict = judge(address);
    // An IPv6 zone, which a client may make up, has any length.
    if (address.length > LONGEST) return verdict;
    if (verdicts.size >= MOST_REMEMBERED) verdicts.clear();
    verdicts.set(address, verdict);
    return verdict;
  };
}

function peerOf(request: IncomingMessage): string {
  return plain(request.socket.remoteAddress ?? "");
}

/** IPv4 as itself, also where a dual-stack socket shows it as IPv6. */
function plain(address: string): string {
  return address.startsWith("::ffff:") && isIP(address.slice(7)) === 4 ? address.slice(7) : address;
}
