import { renameSync, rmSync } from "node:fs";
import { join } from "node:path";
import { build } from "esbuild";
import { ROOT } from "../../support/own-modules.ts";

const BENCH = join(ROOT, "tests/bench");

/** Makes a ceiling one file of JavaScript, in this repository, whose packages it needs. @returns its path */
export async function bundleCeiling(name: string): Promise<string> {
  const file = join(BENCH, "dist", `${name}.js`);
  // Another benchmark may be reading it.
  const made = `${file}.${process.pid}`;
  try {
    await build({
      entryPoints: [join(BENCH, "ceilings", `${name}.ts`)],
      outfile: made,
      bundle: true,
      packages: "external",
      format: "esm",
      platform: "node",
      target: "node20.19",
    });
    renameSync(made, file);
  } finally {
    rmSync(made, { force: true });
  }
  return file;
}
