import { setImmediate as nextTurn } from "node:timers/promises";
import { isCollectionName } from "#protocol/batch";
import { GalleyError } from "#protocol/errors";
import type { CheckedRules, RunTests, TestResult, TestRun } from "../publishing/rule-findings.ts";
import { Observer } from "./observations.ts";
import { principalOf, runTest, type TestSetting } from "./run-test.ts";
import type { TestSuite } from "./suite.ts";
import { readSuite } from "./suite-reader.ts";
import { type OpenTested, visit } from "./tested-galley.ts";

/** Time for all tests of a set. What has not run by then has failed. */
const MOST_MILLISECONDS = 10_000;
/** Documents of a collection, and users, that lints look at beyond what tests ask. */
const MOST_SAMPLED = 20;

export interface TestRunnerOptions {
  readonly open: OpenTested;
  /** Epoch milliseconds. */
  readonly clock: () => number;
}

/** Runs rule tests, one set at a time: whoever publishes waits, and nobody else does. */
export function createTestRunner({ open, clock }: TestRunnerOptions): RunTests {
  let last: Promise<unknown> = Promise.resolve();

  return async (checked, tests) => {
    const { suite, faults } = readSuite(tests);
    const [first] = faults;
    if (first) {
      const more = faults.length > 1 ? ` (and ${faults.length - 1} more)` : "";
      throw new GalleyError("invalid_argument", `${first.message}${more}`, { faults, outcome: "not_applied" });
    }
    const run = last.then(() => runAll(checked, suite));
    last = run.catch(() => {});
    return run;
  };

  async function runAll({ rules }: CheckedRules, suite: TestSuite): Promise<TestRun> {
    const until = clock() + MOST_MILLISECONDS;
    const signal = {
      get aborted() {
        return clock() > until;
      },
    };
    const galley = await open({ collections: collectionsOf(suite), documents: suite.documents, now: suite.now });
    try {
      const observer = new Observer(rules);
      const setting: TestSetting = { galley, rules, observer, signal, idsIn: (name) => sampleOf(suite, name) };
      const results: TestResult[] = [];
      for (const test of suite.tests) {
        // Between two tests whoever else waits has their turn.
        await nextTurn();
        const late = `did not run: all tests together take more than ${MOST_MILLISECONDS / 1000} s`;
        const failure = signal.aborted ? late : await failureOf(() => runTest(test, setting), signal, late);
        results.push({
          name: test.name,
          passed: failure === undefined,
          ...(failure !== undefined && { message: failure }),
        });
      }
      await compareSeeing(setting, suite);
      return { results, observations: observer };
    } finally {
      await galley.close();
    }
  }
}

async function failureOf(
  run: () => Promise<string | undefined>,
  signal: { readonly aborted: boolean },
  late: string,
): Promise<string | undefined> {
  try {
    return await run();
  } catch (error) {
    if (signal.aborted) return late;
    throw error;
  }
}

/** Lists and single documents are judged by two rules: who may list what they may not get? */
async function compareSeeing({ galley, rules, observer, signal }: TestSetting, suite: TestSuite): Promise<void> {
  const users = [undefined, ...[...suite.users.values()].slice(0, MOST_SAMPLED)];
  for (const { name, list, get } of rules.collections.values()) {
    const ids = sampleOf(suite, name);
    if (list === get || ids.length === 0) continue;
    const rows = (await galley.store.get(name, ids)).filter((row) => row !== undefined);
    for (const user of users) {
      await nextTurn();
      if (signal.aborted) return;
      const visitor = visit(galley, { rules, principal: principalOf({ user, request: {} }), collection: name });
      await observer.compare(visitor.scope, visitor.rights.caller, rows);
    }
  }
}

function collectionsOf({ documents, tests }: TestSuite): ReadonlySet<string> {
  return new Set([...documents.keys(), ...tests.map(({ collection }) => collection)].filter(isCollectionName));
}

function sampleOf({ documents }: TestSuite, collection: string): readonly string[] {
  return (documents.get(collection) ?? []).slice(0, MOST_SAMPLED).map(({ _id }) => String(_id));
}
