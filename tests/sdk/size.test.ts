import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { build } from "esbuild";
import t from "tap";

const CORE_LIMIT = 5 * 1024;
const SDK = join(import.meta.dirname, "../../sdk");

t.test("the core is at most 5 KB as an app's bundle holds it, and needs nothing else", async (t) => {
  const { metafile, outputFiles } = await build({
    entryPoints: { core: join(SDK, "index.ts") },
    conditions: ["galley-source"],
    bundle: true,
    splitting: true,
    format: "esm",
    minify: true,
    target: "es2022",
    metafile: true,
    write: false,
    outdir: "out",
    absWorkingDir: SDK,
  });
  const loadedFirst = new Set<string>();
  const load = (name: string): void => {
    if (loadedFirst.has(name)) return;
    loadedFirst.add(name);
    for (const { path, kind } of metafile.outputs[name]?.imports ?? []) if (kind === "import-statement") load(path);
  };
  load("out/core.js");
  const bytes = [...loadedFirst].reduce((sum, name) => {
    const file = outputFiles.find(({ path }) => path.endsWith(name));
    return sum + gzipSync(file?.contents ?? "", { level: 9 }).length;
  }, 0);
  t.ok(bytes > 0 && bytes <= CORE_LIMIT, `${bytes} bytes of ${CORE_LIMIT}`);
  t.comment(`core: ${bytes} bytes`);
  for (const [name, { imports }] of Object.entries(metafile.outputs)) {
    t.notOk(
      imports.some(({ external }) => external),
      `${name} imports nothing from outside`,
    );
  }
  for (const input of Object.keys(metafile.inputs)) t.notMatch(input, /node_modules/);
});

t.test("importing the SDK does nothing: what is not used is left out whole", async (t) => {
  const { outputFiles } = await build({
    stdin: { contents: 'import { ApiError, createClient } from "@galley/sdk";', resolveDir: SDK },
    conditions: ["galley-source"],
    bundle: true,
    format: "esm",
    write: false,
  });
  t.equal(outputFiles[0]?.text.trim(), "");
});
