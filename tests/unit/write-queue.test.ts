import { setImmediate } from "node:timers/promises";
import t from "tap";
import { WriteQueue } from "../../server/documents/write-queue.ts";

/** A queue whose work ends when the test says so. */
function open() {
  const groups: string[][] = [];
  const ends: (() => void)[] = [];
  const queue = new WriteQueue<string>((jobs) => {
    groups.push([...jobs]);
    return new Promise((resolve) => ends.push(resolve));
  });
  const finish = async () => {
    ends.shift()?.();
    await setImmediate();
  };
  return { groups, queue, finish };
}

t.test("what waits for a document goes together, and other documents do not wait", async (t) => {
  const { groups, queue, finish } = open();
  for (const job of ["a1", "a2", "a3"]) queue.push("a", job);
  queue.push("b", "b1");
  t.same(groups, [["a1"], ["b1"]]);
  await finish();
  t.same(groups, [["a1"], ["b1"], ["a2", "a3"]]);
  queue.push("a", "a4");
  await finish();
  await finish();
  t.same(groups.at(-1), ["a4"]);
  await finish();
  queue.push("a", "a5");
  t.same(groups.at(-1), ["a5"], "an empty line is gone, and starts again at once");
});

t.test("no group is larger than 500", async (t) => {
  const { groups, queue, finish } = open();
  for (let i = 0; i <= 1200; i++) queue.push("a", `${i}`);
  for (let i = 0; i < 4; i++) await finish();
  t.same(
    groups.map(({ length }) => length),
    [1, 500, 500, 200],
  );
  t.same(
    groups.flat(),
    Array.from({ length: 1201 }, (_, i) => `${i}`),
  );
});

t.test("who holds documents has them alone, in turn with those who wait", async (t) => {
  const { groups, queue, finish } = open();
  queue.push("a", "before");
  let held = false;
  const holding = queue.hold(["b", "a", "b"]).then((release) => {
    held = true;
    return release;
  });
  await setImmediate();
  queue.push("a", "after 1");
  queue.push("b", "beside");
  queue.push("a", "after 2");
  t.same(groups, [["before"], ["beside"]], "b is free until a has been had");
  queue.push("b", "after 3");
  await finish();
  t.notOk(held);
  await finish();
  t.same(groups.at(-1), ["after 3"], "it was there first");
  await finish();
  t.ok(held);
  queue.push("b", "after 4");
  t.equal(groups.length, 3);
  (await holding)();
  t.same(groups.slice(3), [["after 1", "after 2"], ["after 4"]]);
});

t.test("holders that want each other's documents never wait for each other", async (t) => {
  const { queue } = open();
  const order: string[] = [];
  const take = async (name: string, keys: string[]) => {
    const release = await queue.hold(keys);
    order.push(name);
    await setImmediate();
    release();
  };
  await Promise.all([take("1", ["a", "b", "c"]), take("2", ["c", "b", "a"]), take("3", ["b"]), take("4", ["c", "a"])]);
  t.equal(order.length, 4);
});
