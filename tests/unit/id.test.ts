import { randomBytes } from "node:crypto";
import t from "tap";
import { ID_RANDOM_BYTES, idFault, newId } from "#protocol/id";

t.test("an id is checked for its characters and length", async (t) => {
  const good = [
    "a",
    "role:admin",
    "true",
    "constructor",
    "__proto__",
    "user@example.org",
    "~.-_:",
    "...",
    "x".repeat(128),
  ];
  for (const id of good) t.equal(idFault(id), undefined, id);
  const bad = [
    "",
    ".",
    "..",
    "a b",
    "a/b",
    "a\0",
    "a\n",
    "é",
    "$auth.id!",
    "{}",
    "a,b",
    "x".repeat(129),
    "x".repeat(1_000_000),
  ];
  for (const id of [...bad, null, undefined, 1, true, ["x"], { $gt: "" }]) {
    t.type(idFault(id), "string", JSON.stringify(id)?.slice(0, 40));
  }
});

t.test("a new id is a UUIDv7 in base32hex", async (t) => {
  // The example of RFC 9562 A.6: 017F22E2-79B0-7CC3-98C4-DC0C0C07398F.
  const random = Uint8Array.from([0x0c, 0xc3, 0x18, 0xc4, 0xdc, 0x0c, 0x0c, 0x07, 0x39, 0x8f]);
  const id = newId(0x017f22e279b0, random);
  t.equal(id, encode("017f22e279b07cc398c4dc0c0c07398f"));
  t.equal(id.length, 26);
  t.equal(idFault(id), undefined);
  t.throws(() => newId(0, new Uint8Array(ID_RANDOM_BYTES - 1)), RangeError);
});

/** Base32hex by way of a big number, as a second opinion. */
function encode(hex: string): string {
  return (BigInt(`0x${hex}`) << 2n).toString(32).padStart(26, "0");
}

t.test("ids sort by the millisecond they were made in, and differ within one", async (t) => {
  const times = [0, 1, 255, 2 ** 31, 2 ** 32, 1_769_853_600_000, 1_769_853_600_000.9, 1_769_853_600_001, 2 ** 48 - 1];
  const ids = times.map((time) => newId(time, randomBytes(ID_RANDOM_BYTES)));
  t.equal(ids[5]?.slice(0, 9), ids[6]?.slice(0, 9), "a fraction of a millisecond is dropped");
  const distinct = ids.filter((_, i) => i !== 6);
  t.strictSame([...distinct].sort(), distinct);
  t.equal(new Set(Array.from({ length: 10_000 }, () => newId(5, randomBytes(ID_RANDOM_BYTES)))).size, 10_000);
});
