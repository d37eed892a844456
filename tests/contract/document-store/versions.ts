import { type ContractTest, put } from "./fixture.ts";

export const testVersions: ContractTest = async (t, { newPlace, fresh }) => {
  await t.test("a version is above the one before, and above the clock's 1024 for a millisecond", async (t) => {
    let now = 4_000_000_000_000;
    const place = await newPlace(t);
    const store = await place.open(() => now);
    t.teardown(() => store.close());
    const first = store.nextVersion(0);
    t.equal(first, now * 1024);
    t.ok(store.nextVersion(0) > first, "in the same millisecond");
    const ahead = now * 1024 + 5_000_000;
    t.equal(store.nextVersion(ahead), ahead + 1);
    now += 1;
    t.ok(store.nextVersion(0) > ahead + 1);
    now += 60_000;
    t.equal(store.nextVersion(7), now * 1024);
    t.ok(Number.isSafeInteger(store.nextVersion(0)));
  });

  await t.test("no version is given twice, though the clock goes back and the store is opened again", async (t) => {
    let now = 4_000_000_000_000;
    const place = await newPlace(t);
    const store = await place.open(() => now);
    await store.ensureCollection({ name: "notes", indexes: [] });
    const seen = new Set<number>();
    let last = 0;
    let fell = 0;
    for (let n = 0; n < 3000; n++) {
      if (n === 1000) now -= 3_600_000;
      const version = store.nextVersion(n % 2 === 0 ? 0 : last);
      if (version <= last) fell += 1;
      seen.add(version);
      last = version;
    }
    t.equal(seen.size, 3000);
    t.equal(fell, 0);
    await store.commit([put(store, "a")]);
    last = store.nextVersion(0) - 1;
    await store.close();
    const again = await place.open(() => now);
    t.teardown(() => again.close());
    t.ok(again.nextVersion(0) >= last);
    t.ok(again.nextVersion(0) > now * 1024);
  });

  await t.test("a stored version is never passed by a lower one", async (t) => {
    const store = await fresh();
    const high = (Date.now() + 86_400_000) * 1024;
    const write = { ...put(store, "a"), version: store.nextVersion(high) };
    await store.commit([{ ...write, text: write.text.replace(/"_v":\d+/, `"_v":${write.version}`) }]);
    t.ok(store.nextVersion(0) > write.version);
  });
};
