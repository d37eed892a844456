import { BlockList, isIP } from "node:net";

/** What is wrong with a network in CIDR form, in words; undefined if it is one. A plain address is a network of one. */
export function networkFault(text: unknown): string | undefined {
  return typeof text === "string" && parseNetwork(text)
    ? undefined
    : "expects a network such as 10.0.0.0/8 or 2001:db8::/32";
}

/** A test of whether an address lies in one of the networks, which {@link networkFault} has passed. */
export function inNetworks(networks: readonly string[]): (address: string) => boolean {
  const list = new BlockList();
  for (const text of networks) {
    const network = parseNetwork(text);
    if (network) list.addSubnet(network.address, network.prefix, network.family);
  }
  return (address) => {
    const bare = unmapped(address);
    const family = isIP(bare);
    return family !== 0 && list.check(bare, family === 4 ? "ipv4" : "ipv6");
  };
}

function parseNetwork(text: string): { address: string; prefix: number; family: "ipv4" | "ipv6" } | undefined {
  const [address = "", bits, ...rest] = text.split("/");
  const version = isIP(address);
  if (version === 0 || rest.length > 0 || address.includes("%")) return undefined;
  const longest = version === 4 ? 32 : 128;
  if (bits !== undefined && !/^(?:0|[1-9][0-9]{0,2})$/.test(bits)) return undefined;
  const prefix = bits === undefined ? longest : Number(bits);
  return prefix <= longest ? { address, prefix, family: version === 4 ? "ipv4" : "ipv6" } : undefined;
}

/** As a list knows it: without an IPv6 zone, and IPv4 not as a socket for both families shows it (`::ffff:192.0.2.1`). */
function unmapped(address: string): string {
  const [bare = ""] = address.split("%");
  return bare.toLowerCase().startsWith("::ffff:") && isIP(bare.slice(7)) === 4 ? bare.slice(7) : bare;
}
