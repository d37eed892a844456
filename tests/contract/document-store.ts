import t, { type Test } from "tap";
import { testCommits } from "./document-store/commits.ts";
import { type Capabilities, createBench, type Place } from "./document-store/fixture.ts";
import { testIndexes } from "./document-store/indexes.ts";
import { testLimits } from "./document-store/limits.ts";
import { testPages } from "./document-store/pages.ts";
import { testPoints } from "./document-store/points.ts";
import { testPositions } from "./document-store/positions.ts";
import { testTails } from "./document-store/tails.ts";
import { testUniqueness } from "./document-store/uniqueness.ts";
import { testVersions } from "./document-store/versions.ts";

export type { Capabilities, Place } from "./document-store/fixture.ts";

/**
 * The laws of the port in server/stores/document-store.ts, one test each. Every engine runs them all.
 *
 * @param newPlace makes an empty place for a store, cleared away when the test ends
 */
export function documentStoreContract(
  engine: string,
  newPlace: (t: Test) => Place | Promise<Place>,
  capabilities: Capabilities,
): void {
  const parts = {
    "point reads": testPoints,
    commits: testCommits,
    versions: testVersions,
    uniqueness: testUniqueness,
    tails: testTails,
    positions: testPositions,
    pages: testPages,
    limits: testLimits,
    indexes: testIndexes,
  };
  for (const [part, test] of Object.entries(parts)) {
    t.test(`${engine}: ${part}`, (t) => test(t, createBench(t, newPlace, capabilities)));
  }
}
