/** Whether an animation goes on in a real browser while the SDK folds a flood of changes into a list. */
import { join } from "node:path";
import type { Browser } from "playwright-core";
import { startBrowser } from "../../support/browser.ts";
import { ROOT } from "../../support/own-modules.ts";
import { type Served, serveCeiling } from "../harness/process.ts";
import type { ReportRow } from "../harness/report.ts";
import { median } from "../harness/rounds.ts";
import { withServers } from "../harness/servers.ts";

/** Each changes a document in every list. */
const COMMITS = 1000;
const LISTS = 10;
/** Milliseconds between two frames of the animation, at most. */
const MOST_GAP = 50;
const ROWS = 50;

/** What a page saw of it. */
interface Seen {
  /** The longest time between two frames, in each second. */
  readonly gaps: readonly number[];
  readonly frames: number;
  readonly states: number;
  /** Of all rows of all lists, at the end. */
  readonly versions: readonly number[];
  /** From the first change to the last. */
  readonly seconds: number;
}

export async function flood(smoke: boolean): Promise<ReportRow[]> {
  const found = await startBrowser();
  if ("missing" in found) {
    console.error(found.missing);
    return [];
  }
  const seconds = smoke ? 0.5 : 5;
  const env = {
    BENCH_SDK: join(ROOT, "sdk/dist/galley.js"),
    BENCH_PAGE: join(ROOT, "tests/bench/ceilings/flood.html"),
    BENCH_COMMITS_A_SECOND: String(COMMITS),
    BENCH_LISTS: String(LISTS),
    BENCH_ROWS: String(ROWS),
    BENCH_SECONDS: String(seconds),
  };
  try {
    return await withServers(async (serve) => {
      const server = await serve(serveCeiling("flood", env));
      const taken = { sdk: [] as Seen[], bare: [] as Seen[] };
      for (let round = 0; round <= (smoke ? 0 : 3); round++) {
        for (const who of ["sdk", "bare"] as const) {
          const seen = await watch(found.browser, server, { who, seconds });
          if (round > 0 || smoke) taken[who].push(seen);
        }
      }
      return [rowOf(taken.sdk, taken.bare, seconds)];
    });
  } finally {
    await found.browser.close();
  }
}

async function watch(
  browser: Browser,
  server: Served,
  { who, seconds }: { who: "sdk" | "bare"; seconds: number },
): Promise<Seen> {
  const page = await browser.newPage();
  try {
    await page.goto(`${server.url}/#${who},${COMMITS * seconds},${LISTS}`);
    const handle = await page.waitForFunction("window.result", undefined, { timeout: 60_000 + seconds * 10_000 });
    return (await handle.jsonValue()) as Seen;
  } finally {
    await page.close();
  }
}

function rowOf(ours: readonly Seen[], bare: readonly Seen[], seconds: number): ReportRow {
  const worst = ({ gaps }: Seen) => Math.max(...gaps);
  const gaps = ours.map(worst);
  const right = ({ versions }: Seen) =>
    versions.length === LISTS * ROWS && versions.every((version) => version === 1 + (COMMITS * seconds) / ROWS);
  const wrong = [...ours, ...bare].filter((seen) => !right(seen)).length;
  const of = (all: readonly Seen[], figure: (seen: Seen) => number) => median(all.map(figure));
  const told = (all: readonly Seen[]) =>
    `longest gap ${of(all, worst).toFixed(0)} ms, ${of(all, (one) => one.frames / one.seconds).toFixed(0)} frames/s`;
  // Of the worst second of all rounds: one stutter is one too many.
  const longest = Math.max(...gaps);
  return {
    what: `B17 ${COMMITS * LISTS} deltas a second in a browser`,
    ours: told(ours),
    ceiling: `bare ws ${told(bare)}`,
    ratio: longest,
    spread: (longest - Math.min(...gaps)) / median(gaps),
    target: `<= ${MOST_GAP} ms`,
    met: longest <= MOST_GAP && wrong === 0,
    note: `Chromium, the longest of ${gaps.length} times ${seconds} s; ${COMMITS} commits a second to ${LISTS} lists of ${ROWS}, folded in ${of(ours, (one) => one.seconds).toFixed(1)} s, ${of(ours, (one) => one.states / one.seconds).toFixed(0)} states/s; wrong ${wrong}`,
  };
}
