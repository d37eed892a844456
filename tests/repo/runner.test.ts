/** What `npm test` makes of a file that fails: it is found, counted and named. A runner that misses one makes all the rest void. */
import t from "tap";
import { chooseTestFiles } from "../support/test-files.ts";
import { runTestFile } from "../support/test-process.ts";

const PLANTED = "tests/dist/tests/repo/planted-failure.js";

async function planted(kind: string) {
  const never = new AbortController().signal;
  const { seconds: _, ...result } = await runTestFile(PLANTED, { ...process.env, PLANTED: kind }, never);
  return result;
}

t.test("a file that passes tells its counts and nothing else", async (t) => {
  t.same(await planted("nothing"), {
    ...{ name: "tests/repo/planted-failure.ts", ok: true, told: "" },
    counts: { total: 2, pass: 2, fail: 0, skip: 0, todo: 0 },
  });
});

t.test(
  "an assertion that fails is told with its test, what was expected and where it stands in the source",
  async (t) => {
    const { ok, counts, told } = await planted("assertion");
    t.match([ok, counts], [false, { total: 2, pass: 1, fail: 1 }]);
    t.match(
      told,
      /not ok 1 - one is two\n.*planted-failure\.ts:\d+.*-2\n *\+1\n.*not ok 2 - a behaviour that does not/s,
    );
    t.notMatch(told, /ok \d - (?:one is one|a behaviour that holds)/);
  },
);

for (const [kind, how] of [
  ["error that nobody awaits", /thrown later.*planted-failure\.ts:\d+.*ended by exit code 1/s],
  ["signal", /ended by SIGKILL/],
  ["exit", /test unfinished.*a behaviour that does not.*ended by exit code 1/s],
] as const) {
  t.test(`a file that ends by this is not ok: ${kind}`, async (t) => {
    const { ok, counts, told } = await planted(kind);
    t.notOk(ok);
    t.ok(counts.fail > 0, "counted");
    t.match(told, how);
  });
}

t.test("a skip is counted and told with its reason", async (t) => {
  const { ok, counts, told } = await planted("skip");
  t.match([ok, counts, told], [true, { total: 2, pass: 1, skip: 1 }, /left out # SKIP for a reason/]);
});

t.test("all files are chosen, or those that are given, and what is not there is refused", async (t) => {
  t.ok(chooseTestFiles([]).includes("tests/dist/tests/unit/filter.test.js"));
  t.same(chooseTestFiles(["tests/console", "tests/unit/id.test.ts"]), [
    "tests/dist/tests/console/auth-pages.test.js",
    "tests/dist/tests/unit/id.test.js",
  ]);
  t.throws(() => chooseTestFiles(["tests/unit/nothing.test.ts"]), /there is no tests\/unit\/nothing\.test\.ts/);
});
