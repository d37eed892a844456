import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { type BuildOptions, build } from "esbuild";
import { ROOT } from "../../support/own-modules.ts";

const SERVER = join(ROOT, "server");

/**
 * Bundles a program with Galley in it as what is shipped is bundled, its thread and process beside it.
 *
 * @param name of the folder, which is as deep as what is shipped, and in this repository, whose packages it needs
 * @param program its source
 * @returns the folder, in which the program is called as its source is
 */
export async function bundleGalley(name: string, program: string, more: BuildOptions = {}): Promise<string> {
  const pack = (await import(pathToFileURL(join(SERVER, "pack.mjs")).href)) as {
    bundleOptions(folder: string): BuildOptions & { readonly entryPoints: Readonly<Record<string, string>> };
  };
  const {
    entryPoints: { galley: _, ...beside },
    ...options
  } = pack.bundleOptions(SERVER);
  const outdir = join(SERVER, "dist", name);
  await build({
    ...{ ...options, outdir, ...more },
    entryPoints: { [name]: program, ...beside },
  });
  return outdir;
}
