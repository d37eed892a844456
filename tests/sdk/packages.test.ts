import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { gzipSync } from "node:zlib";
import { checkPackage, createPackageFromTarballData } from "@arethetypeswrong/core";
import { publint } from "publint";
import t, { type Test } from "tap";
import { startApp } from "../support/app.ts";
import { ROOT } from "../support/own-modules.ts";
import { build, CLEAN_ENV, run } from "../support/programs.ts";

const DIST = join(ROOT, "sdk/dist");
const PROGRAMS = createRequire(import.meta.url);
const program = (name: string, path: string) => join(dirname(PROGRAMS.resolve(`${name}/package.json`)), path);
await build("--if-older");

const app = await startApp();
t.teardown(() => app.close());

/** An empty app of somebody's, with the SDK installed from a file or an address. */
async function consumer(t: Test, source: string, files: Record<string, string>) {
  const folder = mkdtempSync(join(tmpdir(), "galley-consumer-"));
  t.teardown(() => rmSync(folder, { recursive: true, force: true }));
  for (const [name, text] of Object.entries({ "package.json": '{"private":true}', ...files })) {
    mkdirSync(dirname(join(folder, name)), { recursive: true });
    writeFileSync(join(folder, name), text);
  }
  const offline = source.startsWith("http") ? [] : ["--offline"];
  const cache = join(folder, ".npm-cache");
  await run("npm", ["install", source, ...offline, "--no-audit", "--no-fund", "--cache", cache], { cwd: folder });
  return folder;
}

const USE = `
  const db = createClient({ url: process.env.GALLEY_URL, serviceKey: process.env.GALLEY_KEY });
  const todos = db.collection("todos");
  const made = await todos.create({ title: "x", at: new Date(7), size: 5n });
  const found = await todos.get(made._id);
  const n = await db.transaction(async (tx) => {
    tx.collection("todos").update(made._id, { $inc: { n: 2 } });
    return (await tx.collection("todos").get(made._id)).n;
  });
  const error = await todos.delete("none").catch((thrown) => thrown);
  const { keys } = admin(db);
  const { key, secret } = await keys.create({ name: "x", scopes: ["documents:todos:get"] });
  await keys.delete(key.id);
  const refused = await keys.rotate("..").catch((thrown) => thrown);
  console.log(secret.slice(0, 4), ApiError.is(refused, "invalid_argument"), db.auth.user, typeof db.auth.signIn);
  console.log(found.title, found.at.getTime(), String(found.size), n, ApiError.is(error, "not_found"));
  db.close();
`;

/** As a server draws a page. */
const DRAW = `
  const One = () => {
    const { data, synced } = useLive(db.collection("todos").find());
    return [data ?? "nothing", synced, useConnection()].join();
  };
  console.log(renderToString(createElement(GalleyProvider, { client: db }, createElement(One))));
`;

/** A program with hooks, whose types hold only if theirs are found. */
const HOOKS = `import { createClient } from "@galley/sdk"; import { useLive } from "@galley/sdk/react";
  const todos = createClient<{ todos: { title: string } }>({ url: "http://localhost" }).collection("todos");
  export const title: string | undefined = useLive(todos.find()).data?.[0]?.title;
  // @ts-expect-error no such field
  useLive(todos.find()).data?.[0]?.titel;
`;

t.test("ES modules and CommonJS both use the package that npm installs, with its types", async (t) => {
  const folder = await consumer(t, join(DIST, "galley.tgz"), {
    "use.mjs": `import { ApiError, createClient } from "@galley/sdk"; import { admin } from "@galley/sdk/admin";${USE}`,
    "use.cjs": `const { ApiError, createClient } = require("@galley/sdk"); const { admin } = require("@galley/sdk/admin");
      (async () => {${USE}})();`,
    "draw.mjs": `import { createClient } from "@galley/sdk";
      import { GalleyProvider, useConnection, useLive } from "@galley/sdk/react";
      import { createElement } from "react"; import { renderToString } from "react-dom/server";
      const db = createClient({ url: "http://localhost" });${DRAW}`,
    "draw.cjs": `const { createClient } = require("@galley/sdk");
      const { GalleyProvider, useConnection, useLive } = require("@galley/sdk/react");
      const { createElement } = require("react"); const { renderToString } = require("react-dom/server");
      const db = createClient({ url: "http://localhost" });${DRAW}`,
    "types.mts": typed(
      'import { createClient, type Me } from "@galley/sdk"; import { admin } from "@galley/sdk/admin";',
    ),
    "types.cts": typed(
      'import { createClient, type Me } from "@galley/sdk"; import { admin } from "@galley/sdk/admin";',
    ),
    "inside.mts": 'import "@galley/sdk/dist/http.js";',
    "docs.mts": examples("docs/sdk.md"),
    "realtime.mts": examples("docs/realtime.md"),
    "readme.tsx": examples("sdk/README.md", "tsx?"),
    "react.mts": HOOKS,
    "react.cts": HOOKS,
    "react-docs.tsx": examples("docs/react.md", "tsx"),
  });
  const settings = { cwd: folder, env: { ...CLEAN_ENV, GALLEY_URL: app.url, GALLEY_KEY: app.key } };
  for (const file of ["use.mjs", "use.cjs"]) {
    const { stdout, stderr } = await run(process.execPath, [file], settings);
    t.equal(stdout, "gsk_ true null function\nx 7 5 2 true\n", file);
    t.equal(stderr, "", file);
  }
  const missing = await run(process.execPath, ["draw.mjs"], settings).catch(({ stderr }) => stderr);
  t.match(missing, /Cannot find package 'react'/, "which is no dependency of the SDK");
  for (const name of ["react", "react-dom", "@types/react", "@types/react-dom"]) {
    mkdirSync(dirname(join(folder, "node_modules", name)), { recursive: true });
    symlinkSync(join(ROOT, "node_modules", name), join(folder, "node_modules", name));
  }
  for (const file of ["draw.mjs", "draw.cjs"]) {
    const { stdout, stderr } = await run(process.execPath, [file], settings);
    t.same([stdout, stderr], ["nothing,false,off\n", ""], file);
  }
  const tsc = (...options: string[]) =>
    run(
      process.execPath,
      [program("typescript", "bin/tsc"), "--noEmit", "--strict", "--lib", "es2022,dom", "--types", "", ...options],
      settings,
    ).then(
      () => "",
      ({ stdout, stderr }) => `${stdout}${stderr}`,
    );
  t.equal(
    await tsc(
      "--module",
      "nodenext",
      "--target",
      "es2022",
      "types.mts",
      "types.cts",
      "docs.mts",
      "realtime.mts",
      "react.mts",
      "react.cts",
    ),
    "",
  );
  const bundler = ["--module", "esnext", "--moduleResolution", "bundler", "--jsx", "react-jsx", "--target", "es2022"];
  t.equal(await tsc(...bundler, "types.mts", "react-docs.tsx", "readme.tsx"), "");
  t.match(await tsc("--module", "nodenext", "inside.mts"), /Cannot find module/, "what is inside is not for use");

  const installed = join(folder, "node_modules/@galley/sdk");
  const manifest = JSON.parse(readFileSync(join(installed, "package.json"), "utf8"));
  t.notOk("dependencies" in manifest || "scripts" in manifest);
  t.notMatch(JSON.stringify(manifest), /galley-source/);
  const files = readdirSync(installed, { recursive: true, encoding: "utf8" });
  for (const name of [
    "README.md",
    "LICENSE",
    "dist/index.js",
    "dist/index.cjs",
    "dist/live/index.cjs",
    "dist/admin.cjs",
    "dist/react/index.cjs",
  ])
    t.ok(files.includes(name), name);
  t.notOk(
    files.some((name) => /\.map$|buildinfo|(?<!\.d)\.ts$/.test(name)),
    "nothing of the workshop",
  );
  t.notMatch(readFileSync(join(installed, "dist/index.js"), "utf8"), /sourceMappingURL/);
});

/** A program whose types hold only if the package's types are found: the error must be one. */
function typed(imports: string): string {
  return `${imports}
    const db = createClient<{ todos: { title: string } }>({ url: "http://localhost" });
    export const title: Promise<string | undefined> = db.collection("todos").get("a").then((todo) => todo?.title);
    export const me: Promise<Me | null> = db.auth.ready;
    export const disabled: Promise<string | null | undefined> = admin(db).users.get("a").then((user) => user?.disabledAt);
    // @ts-expect-error no such field
    db.collection("todos").find({ titel: "x" });
  `;
}

/** A page's examples as one program; what they take from the app around them is declared. */
function examples(page: string, language = "ts"): string {
  const text = readFileSync(join(ROOT, page), "utf8");
  const blocks = [...text.matchAll(new RegExp(`^\`\`\`${language}(?: run)?\\n([\\s\\S]*?)^\`\`\``, "gm"))].map(
    (match) => match[1],
  );
  return `declare const process: { env: Record<string, string | undefined> };
    declare function ask(what: string): Promise<string>;
    ${blocks.join("\n")}`;
}

t.test(
  "every entry is found, with its types, by every way of resolving modules, and publint has nothing to say",
  async (t) => {
    const tarball = new Uint8Array(readFileSync(join(DIST, "galley.tgz")));
    const { messages, pkg } = await publint({ pack: { tarball: tarball.buffer }, strict: true });
    t.same(messages, []);
    const checked = await checkPackage(createPackageFromTarballData(tarball));
    if (!checked.types) throw new Error("no types");
    t.same(checked.problems, []);
    const { exports } = pkg as { exports: object };
    t.same(Object.keys(checked.entrypoints), Object.keys(exports));
    for (const { resolutions } of Object.values(checked.entrypoints)) {
      for (const [way, { resolution }] of Object.entries(resolutions)) t.match(resolution?.fileName, /galley.sdk/, way);
    }
  },
);

t.test("npm installs the SDK from the server's address, and an empty Vite app builds with it", async (t) => {
  const folder = await consumer(t, `${app.url}/sdk/galley.tgz`, {
    "index.html": '<!doctype html><title>App</title><script type="module" src="/main.ts"></script>',
    "main.ts": `import { createClient } from "@galley/sdk";
      const db = createClient<{ todos: { title: string } }>({ url: location.origin });
      db.collection("todos").find({ title: "x" }).then((todos) => (document.title = todos[0]?.title ?? "none"));`,
  });
  await run(process.execPath, [program("vite", "bin/vite.js"), "build", "--logLevel", "error"], { cwd: folder });
  const assets = join(folder, "dist/assets");
  const main = readdirSync(assets).find((name) => name.startsWith("index-")) ?? "";
  const bytes = gzipSync(readFileSync(join(assets, main))).length;
  t.ok(bytes > 2000 && bytes < 8.6 * 1024, `${bytes} bytes with Vite's own, without what is loaded later`);
  t.match(readFileSync(join(folder, "package.json"), "utf8"), /\/sdk\/galley\.tgz/);
});

t.test("the server's files are those of the build, for every origin", async (t) => {
  for (const [name, type] of [
    ["galley.js", "text/javascript; charset=utf-8"],
    ["galley.tgz", "application/gzip"],
  ] as const) {
    const response = await fetch(`${app.url}/sdk/${name}`);
    t.equal(response.headers.get("content-type"), type);
    t.strictSame(Buffer.from(await response.arrayBuffer()), readFileSync(join(DIST, name)), name);
  }
  const head = readFileSync(join(DIST, "galley.js"), "utf8").slice(0, 60);
  t.match(head, /^\/\*! @galley\/sdk [\d.]+ \| MIT licence \*\/\n/);
});
