import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { build } from "esbuild";
import t from "tap";
import { ROOT } from "../support/own-modules.ts";

/** docs/decisions/0027-the-core-holds-the-door-to-live-results.md */
const CORE_LIMIT = 7.75 * 1024;
/** What is loaded with the first sign-in, and what an admin's script imports. */
const ACCOUNTS_LIMIT = 1024;
const ADMIN_LIMIT = 1024;
const REACT_LIMIT = 2 * 1024;
/** Core and hooks with all that they load later: docs/decisions/0037-own-writes-are-shown-by-the-language-itself.md */
const ALL_LIMIT = 38.5 * 1024;
const SDK = join(ROOT, "sdk");

/** Bundles an entry as an app does, or several that it imports. */
async function bundle(entry: string, ...others: string[]) {
  const { metafile, outputFiles } = await build({
    entryPoints: Object.fromEntries([entry, ...others].map((name) => [name, join(SDK, `${name}.ts`)])),
    external: ["react"],
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
  const bytesOf = (name: string) => {
    const file = outputFiles.find(({ path }) => path.endsWith(name));
    return gzipSync(file?.contents ?? "", { level: 9 }).length;
  };
  const loadedFirst = new Set<string>();
  const load = (name: string): void => {
    if (loadedFirst.has(name)) return;
    loadedFirst.add(name);
    for (const { path, kind } of metafile.outputs[name]?.imports ?? []) if (kind === "import-statement") load(path);
  };
  load(`out/${entry}.js`);
  const all = outputFiles.reduce((sum, { path }) => sum + bytesOf(path), 0);
  return { metafile, bytesOf, all, bytes: [...loadedFirst].reduce((sum, name) => sum + bytesOf(name), 0) };
}

t.test("the core is at most 7.75 KB as an app's bundle holds it, and needs nothing else", async (t) => {
  const { metafile, bytesOf, bytes } = await bundle("index");
  t.ok(bytes > 0 && bytes <= CORE_LIMIT, `${bytes} bytes of ${CORE_LIMIT}`);
  t.comment(`core: ${bytes} bytes`);
  const accounts = Object.keys(metafile.outputs).find((name) => name.includes("/accounts-")) ?? "";
  t.ok(bytesOf(accounts) > 100 && bytesOf(accounts) <= ACCOUNTS_LIMIT, `${bytesOf(accounts)} bytes of accounts`);
  t.comment(`accounts, loaded at first use: ${bytesOf(accounts)} bytes`);
  for (const [name, { imports }] of Object.entries(metafile.outputs)) {
    t.notOk(
      imports.some(({ external }) => external),
      `${name} imports nothing from outside`,
    );
  }
  for (const input of Object.keys(metafile.inputs)) t.notMatch(input, /node_modules/);
});

t.test("the admin's part is a file of its own, which holds nothing of the core", async (t) => {
  const { metafile, bytes } = await bundle("admin");
  t.ok(bytes > 0 && bytes <= ADMIN_LIMIT, `${bytes} bytes of ${ADMIN_LIMIT}`);
  t.comment(`admin: ${bytes} bytes`);
  const [output] = Object.values(metafile.outputs);
  const held = Object.entries(output?.inputs ?? {}).flatMap(([name, { bytesInOutput }]) =>
    bytesInOutput ? [name] : [],
  );
  t.strictSame(held.sort(), ["admin.ts", "door.ts"]);
});

t.test("the hooks are at most 2 KB, and need nothing but React", async (t) => {
  const { metafile, bytes } = await bundle("react/index");
  t.ok(bytes > 0 && bytes <= REACT_LIMIT, `${bytes} bytes of ${REACT_LIMIT}`);
  t.comment(`react: ${bytes} bytes`);
  const [output] = Object.values(metafile.outputs);
  t.strictSame(new Set(output?.imports.map(({ path }) => path)), new Set(["react"]));
  for (const input of Object.keys(metafile.inputs)) t.match(input, /^react\/|^door\.ts$/);
});

t.test("all that an app can load is at most 38.5 KB, half of it to show own writes", async (t) => {
  const { all } = await bundle("index", "react/index");
  t.ok(all > CORE_LIMIT && all <= ALL_LIMIT, `${all} bytes of ${ALL_LIMIT}`);
  t.comment(`everything: ${all} bytes`);
});

t.test("importing the SDK does nothing: what is not used is left out whole", async (t) => {
  const imports =
    'import { ApiError, createClient } from "@galley/sdk"; import { admin } from "@galley/sdk/admin"; import { useLive } from "@galley/sdk/react";';
  const { outputFiles } = await build({
    stdin: { contents: imports, resolveDir: SDK },
    conditions: ["galley-source"],
    bundle: true,
    external: ["react"],
    format: "esm",
    write: false,
  });
  t.equal(outputFiles[0]?.text.trim(), "");
});
