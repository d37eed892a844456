import type { IncomingMessage } from "node:http";
import t from "tap";
import { createAddresses } from "../../server/transport/address.ts";

function from(trusted: string[], peer: string, forwarded?: string): string {
  const request = {
    socket: { remoteAddress: peer },
    headers: forwarded === undefined ? {} : { "x-forwarded-for": forwarded },
  };
  return createAddresses(trusted)(request as unknown as IncomingMessage);
}

t.test("without trusted proxies the peer is who calls, whatever is forwarded", async (t) => {
  t.equal(from([], "192.0.2.1", "10.0.0.1"), "192.0.2.1");
  t.equal(from([], "::ffff:192.0.2.1"), "192.0.2.1", "IPv4 as itself on a dual-stack socket");
  t.equal(from([], "2001:db8::1"), "2001:db8::1");
});

t.test("a peer that forwards and is not trusted is told of once", async (t) => {
  for (const trusted of [[], ["10.0.0.0/8"]]) {
    const told: string[] = [];
    const addressOf = createAddresses(trusted, (address) => told.push(address));
    const ask = (remoteAddress: string, headers: object) =>
      addressOf({ socket: { remoteAddress }, headers } as unknown as IncomingMessage);
    ask("192.0.2.1", {});
    ask("10.0.0.1", trusted.length > 0 ? { "x-forwarded-for": "203.0.113.9" } : {});
    t.same(told, []);
    t.equal(ask("::ffff:192.0.2.1", { "x-forwarded-for": "203.0.113.9" }), "192.0.2.1");
    t.equal(ask("192.0.2.2", { "x-forwarded-for": "203.0.113.9" }), "192.0.2.2");
    t.same(told, ["192.0.2.1"]);
  }
});

t.test("behind trusted proxies the nearest address that is none of them calls", async (t) => {
  const proxies = ["10.0.0.0/8", "fd00::1"];
  t.equal(from(proxies, "192.0.2.1", "203.0.113.9"), "192.0.2.1", "the peer is no proxy");
  t.equal(from(proxies, "10.0.0.1", "203.0.113.9"), "203.0.113.9");
  t.equal(from(proxies, "::ffff:10.0.0.1", "203.0.113.9"), "203.0.113.9");
  t.equal(from(proxies, "fd00::1", "2001:db8::7"), "2001:db8::7");
  t.equal(
    from(proxies, "10.0.0.1", "1.1.1.1, 203.0.113.9, 10.9.9.9"),
    "203.0.113.9",
    "what the client wrote stands left",
  );
  t.equal(from(proxies, "10.0.0.1", "10.2.2.2"), "10.2.2.2", "a chain of proxies only ends at the first");
  t.equal(from(proxies, "10.0.0.1"), "10.0.0.1");
  for (const nonsense of ["", "unknown", "203.0.113.9:80", "' OR 1=1", "203.0.113.9, "]) {
    t.equal(from(proxies, "10.0.0.1", nonsense), "10.0.0.1", JSON.stringify(nonsense));
  }
});

t.test("of however many addresses each is judged as if it were the only one, also the second time", async (t) => {
  const addressOf = createAddresses(["10.0.0.0/8", "fe80::/10"]);
  const ask = (forwarded: string) =>
    addressOf({
      socket: { remoteAddress: "10.0.0.1" },
      headers: { "x-forwarded-for": forwarded },
    } as unknown as IncomingMessage);
  for (let round = 0; round < 2; round++) {
    for (let n = 0; n < 2500; n++) {
      const [client, proxy] = [`203.0.${n >> 8}.${n & 255}`, `10.1.${n >> 8}.${n & 255}`];
      if (ask(`${client}, ${proxy}`) !== client) t.fail(`${client} behind ${proxy}`);
    }
  }
  t.equal(ask(`2001:db8::1%${"z".repeat(5000)}`), `2001:db8::1%${"z".repeat(5000)}`);
});
