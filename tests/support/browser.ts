import { existsSync } from "node:fs";
import { delimiter, join } from "node:path";
import { type Browser, chromium } from "playwright-core";

const NAMES = ["chromium", "chromium-browser", "google-chrome", "google-chrome-stable"];
const ARGUMENTS = [
  "--no-sandbox",
  "--disable-gpu",
  "--disable-quic",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
];

/** A real Chromium, or why there is none. */
export type Found = { readonly browser: Browser } | { readonly missing: string };

/**
 * Starts the Chromium that `CHROME_PATH` names, or the first one on PATH, or playwright's own. Close it in a teardown.
 *
 * @throws Error if none is to be had while `GALLEY_REQUIRE_SERVERS` is 1
 */
export async function startBrowser(): Promise<Found> {
  const executablePath = findChromium();
  const missing = executablePath
    ? await launch(executablePath)
    : "no Chromium: set CHROME_PATH, or install one (Debian: apt-get install chromium)";
  if (typeof missing !== "string") return { browser: missing };
  if (process.env.GALLEY_REQUIRE_SERVERS === "1") throw new Error(missing);
  return { missing };
}

/** @returns why it does not start, if it does not */
async function launch(executablePath: string): Promise<Browser | string> {
  try {
    return await chromium.launch({ executablePath, args: ARGUMENTS });
  } catch (error) {
    return `${executablePath} does not start: ${String(error).split("\n")[0]}`;
  }
}

function findChromium(): string | undefined {
  const { CHROME_PATH, PATH = "" } = process.env;
  const places = PATH.split(delimiter).flatMap((folder) => NAMES.map((name) => join(folder, name)));
  return [CHROME_PATH ?? "", ...places, chromium.executablePath()].find((path) => path !== "" && existsSync(path));
}
