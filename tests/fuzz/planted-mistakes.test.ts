import t from "tap";
import type { Leaf, Node } from "#protocol/ast";
import { equal, type Key, rankOf } from "#protocol/compare";
import { compileFilter } from "#protocol/match";
import { compareKeys } from "#protocol/sort";
import { createMemoryStore, type MemoryStoreParts } from "./memory-store.ts";
import { reportFinding } from "./report.ts";
import { type Finding, type RoundSize, runRound, SMALL } from "./rounds.ts";

const ROUNDS = 60;

async function firstFinding(
  planted: Partial<MemoryStoreParts>,
  rounds = ROUNDS,
  size?: RoundSize,
): Promise<{ seed: number; finding: Finding } | undefined> {
  for (let seed = 1; seed <= rounds; seed++) {
    const { finding } = await runRound(new Map([["memory", createMemoryStore(planted)]]), seed, size);
    if (finding) return { seed, finding };
  }
  return undefined;
}

t.test("a sound store answers as the evaluator does", async (t) => {
  t.equal(await firstFinding({}, 10, SMALL), undefined);
});

/** Changes the leaves of a filter. */
function rewrite(node: Node, change: (leaf: Leaf) => Leaf): Node {
  switch (node.kind) {
    case "true":
    case "false":
      return node;
    case "and":
    case "or":
      return { ...node, of: node.of.map((child) => rewrite(child, change)) };
    case "not":
      return { ...node, of: change(node.of) };
    default:
      return change(node);
  }
}

function firstPart(key: readonly Key[]): Key {
  return key[0] ?? null;
}

const MISTAKES: Record<string, Partial<MemoryStoreParts>> = {
  "a cursor that stays in its class": {
    isAfter: (sort, key, after) =>
      rankOf(firstPart(key)) === rankOf(firstPart(after)) && compareKeys(sort, key, after) > 0,
  },
  "a cursor that loses rows of equal keys": {
    isAfter: (sort, key, after) => !equal(firstPart(key), firstPart(after)) && compareKeys(sort, key, after) > 0,
  },
  "a cursor that repeats its row": { isAfter: (sort, key, after) => compareKeys(sort, key, after) >= 0 },
  "an int64 stored as a double": { keep: (text) => text.replace(/\{"\$numberLong":"(-?\d{1,15})"\}/g, "$1") },
  "a NUL that ends a string": { keep: (text) => text.replace(/\\u0000[^"]*"/g, '"') },
  "null taken for missing by $exists": {
    compile: (filter) =>
      compileFilter(
        rewrite(filter, (leaf) =>
          leaf.kind === "exists"
            ? {
                kind: "type",
                path: leaf.path,
                classes: ["number", "string", "object", "array", "binary", "bool", "date"],
              }
            : leaf,
        ),
      ),
  },
  "a range that takes its bound": {
    compile: (filter) =>
      compileFilter(
        rewrite(filter, (leaf) => (leaf.kind === "compare" && leaf.op === "gt" ? { ...leaf, op: "gte" } : leaf)),
      ),
  },
  "a prefix found anywhere": {
    compile: (filter) =>
      compileFilter(rewrite(filter, (leaf) => (leaf.kind === "text" ? { ...leaf, at: "any" } : leaf))),
  },
  "a unique index that is none": { indexes: (declared) => declared.map(({ paths }) => ({ paths })) },
  "an index that takes parallel arrays": { indexes: (declared) => declared.filter(({ paths }) => paths.length === 1) },
};

for (const [name, planted] of Object.entries(MISTAKES)) {
  t.test(`the generator finds ${name}, and makes it small`, async (t) => {
    const found = await firstFinding(planted);
    if (!found) throw new Error(`nothing found in ${ROUNDS} rounds`);
    const report = await reportFinding(createMemoryStore(planted), found.seed, found.finding);
    t.match(report, /^seed \d+: memory differs from the evaluator in /);
    const whole = JSON.parse(/^whole: (.*)$/m.exec(report)?.[1] ?? "{}");
    t.ok(whole.documents.length <= 3, `${whole.documents.length} documents are left`);
    t.ok(JSON.stringify(whole).length < 1500, report);
  });
}
