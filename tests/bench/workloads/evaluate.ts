import { Faults } from "#protocol/errors";
import { parseFilter } from "#protocol/filter";
import { compileFilter } from "#protocol/match";
import { normalise } from "#protocol/normalise";
import type { ObjectValue } from "#protocol/values";
import { type ReportRow, rate, type Workload } from "../harness/report.ts";
import { median } from "../harness/rounds.ts";

const FILTERS: Readonly<Record<string, object>> = {
  "one equality": { status: "published" },
  "three conditions": { author: "author-7", status: "published", likes: { $gte: 10 } },
  "in an array": { tags: "tag-3" },
  "or of two": { $or: [{ likes: { $lt: 3 } }, { "meta.pinned": true }] },
};

const DOCUMENTS: readonly ObjectValue[] = Array.from({ length: 1000 }, (_, n) => ({
  author: `author-${n % 10}`,
  status: n % 3 === 0 ? "draft" : "published",
  likes: n % 100,
  tags: [`tag-${n % 5}`, `tag-${n % 7}`],
  meta: { pinned: n % 11 === 0 },
}));

/** The language itself: simple filters against documents in memory, one core, a million a second at least. */
export const evaluate: Workload = {
  name: "evaluate",
  covers: ["evaluate"],
  run: async ({ smoke }) => Object.entries(FILTERS).map(([name, filter]) => measure(name, filter, smoke)),
};

function measure(name: string, input: object, smoke: boolean): ReportRow {
  const faults = new Faults();
  const test = compileFilter(normalise(parseFilter(input, "filter", faults)));
  faults.throwIfAny();
  const expected = DOCUMENTS.filter(test).length;
  const rates: number[] = [];
  const passes = smoke ? 10 : 2000;
  for (let round = 0; round <= 5; round++) {
    const began = performance.now();
    let matched = 0;
    for (let pass = 0; pass < passes; pass++) for (const document of DOCUMENTS) if (test(document)) matched++;
    if (matched !== expected * passes) throw new Error(`${name}: verdicts changed between passes`);
    if (round > 0) rates.push((passes * DOCUMENTS.length) / ((performance.now() - began) / 1000));
  }
  const perSecond = median(rates);
  return {
    what: `evaluate, ${name}`,
    ours: `${rate(perSecond)}/s`,
    ceiling: "-",
    ratio: perSecond / 1e6,
    target: ">= 1.00 million/s",
    met: perSecond >= 1e6,
    spread: (Math.max(...rates) - Math.min(...rates)) / perSecond,
  };
}
