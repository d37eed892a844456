/** The bounded queue in which passwords are hashed: accounts.md 3. */
import { setImmediate as nextTurn } from "node:timers/promises";
import t from "tap";
import { createHashQueue } from "../../server/accounts/passwords/hash-queue.ts";

/** Jobs that end when the test says so, in the order in which they started. */
function gatedJobs() {
  const started: string[] = [];
  const ends: (() => void)[] = [];
  return {
    started,
    job: (name: string) => () =>
      new Promise<string>((resolve) => {
        started.push(name);
        ends.push(() => resolve(name));
      }),
    async end() {
      ends.shift()?.();
      await nextTurn();
    },
  };
}

t.test(
  "as many hashes run as leave the event loop a core and the pool two threads; as many more are handed over",
  async (t) => {
    for (const [cores, poolThreads, atOnce] of [
      [1, 8, 1],
      [2, 8, 1],
      [4, 8, 3],
      [16, 20, 15],
      [16, 8, 6],
      [4, 2, 1],
      [4, Number.NaN, 1],
    ] as const) {
      const { started, job } = gatedJobs();
      const queue = createHashQueue({ cores, poolThreads });
      for (let i = 0; i < 40; i++) {
        void queue.run({ account: `${i}`, network: `${i}` }, job(`${i}`)).catch(() => {});
      }
      await nextTurn();
      t.equal(started.length, 2 * atOnce, `${cores} cores, ${poolThreads} threads`);
    }
  },
);

t.test("hashes wait in the order in which they came, and those beyond the bounds are refused at once", async (t) => {
  const { started, job, end } = gatedJobs();
  const queue = createHashQueue({ cores: 2, poolThreads: 8 });
  const ended: Promise<string>[] = [];
  const add = (account: string, network: string) => ended.push(queue.run({ account, network }, job(account)));
  const refused = async (account: string, network: string, why: string) => {
    const error = await queue.run({ account, network }, job(account)).catch((error: unknown) => error);
    t.match(error, { code: "rate_limited", details: { outcome: "not_applied" } }, why);
    const { retryAfter } = (error as { details: { retryAfter: number } }).details;
    t.ok(Number.isInteger(retryAfter) && retryAfter >= 1 && retryAfter <= 10, `after ${retryAfter} s`);
  };
  add("running", "n0");
  add("twice", "n0");
  add("twice", "n1");
  await refused("twice", "n2", "two of one account wait");
  for (let i = 0; i < 7; i++) add(`a${i}`, "n0");
  await refused("other", "n0", "eight of one network wait");
  for (let i = 0; i < 55; i++) add(`b${i}`, `m${i}`);
  await refused("last", "m99", "64 wait");
  t.same(started, ["running", "twice"], "one is handed over while another runs, and nobody who was refused ran");

  await end();
  add("after", "n9");
  while (started.length < ended.length) await end();
  await end();
  await end();
  t.same(await Promise.all(ended), started);
  const order = ["running", "twice", "twice", ...Array.from({ length: 7 }, (_, i) => `a${i}`)];
  t.same(started, [...order, ...Array.from({ length: 55 }, (_, i) => `b${i}`), "after"]);
  add("free", "n0");
  await nextTurn();
  t.equal(started.at(-1), "free", "it runs at once where nobody waits");
  await end();
});

t.test("of a crowd each is prepared shortly before its turn, in the order in which they came", async (t) => {
  const queue = createHashQueue({ cores: 2, poolThreads: 8 });
  let done = 0;
  let most = 0;
  const prepared: number[] = [];
  const judged: number[] = [];
  const crowd = Array.from({ length: 40 }, (_, n) =>
    queue.runPrepared(
      { account: `${n}`, network: `${n}` },
      async () => {
        prepared.push(n);
        most = Math.max(most, prepared.length - done);
        await nextTurn();
        if (n % 7 === 3) done++;
        if (n % 7 === 3) throw new Error("not now");
        return n;
      },
      async (read) => {
        await nextTurn();
        judged.push(read);
        done++;
      },
    ),
  );
  const ends = await Promise.allSettled(crowd);
  const all = Array.from({ length: 40 }, (_, n) => n);
  t.same(prepared, all);
  t.equal(most, 4, "one runs, one was handed over, and two are ahead");
  t.same(
    judged,
    all.filter((n) => n % 7 !== 3),
    "what was read is what is judged",
  );
  t.equal(ends.filter(({ status }) => status === "rejected").length, 6);
});

t.test("a job that fails harms no other", async (t) => {
  const queue = createHashQueue({ cores: 1, poolThreads: 1 });
  const at = (n: number) => ({ account: `${n}`, network: "n" });
  const failing = [
    queue.run(at(0), () => Promise.reject(new Error("later"))),
    queue.run(at(1), () => {
      throw new Error("at once");
    }),
  ];
  const good = queue.run(at(2), async () => "good");
  t.same(
    (await Promise.allSettled(failing)).map(({ status }) => status),
    ["rejected", "rejected"],
  );
  t.equal(await good, "good");
  t.equal(await queue.run(at(3), async () => "next"), "next");
});
