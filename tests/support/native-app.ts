/** An app of React Native as its makers bundle it: by Metro, with the SDK installed from the package that Galley hands out. */
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { build } from "esbuild";
import { loadConfig, mergeConfig, runBuild } from "metro";
import { ROOT } from "./own-modules.ts";
import { run } from "./programs.ts";

const MODULES = join(ROOT, "node_modules");
const { resolve } = createRequire(import.meta.url);
const PRESET = JSON.stringify(resolve("@react-native/babel-preset"));
/** Packages of this repository that the bundler may look into. */
const SHARED = ["react", "metro-runtime", "@babel/runtime"];
/** What a browser gets from a script of its own: Metro takes a minute for them, and they are not what is tested. */
const GIVEN = { react: "react", "react/jsx-runtime": "react/jsx-runtime", "react-native": "react-native-web" };

/** @param entry a file of the app. @returns the bundle */
export type Bundle = (entry: string, platform: "web" | "android") => Promise<string>;

/** @param files of the app, and packages in its `node_modules` that are not in this repository's, by path */
export async function makeNativeApp(folder: string, files: Readonly<Record<string, string>>): Promise<Bundle> {
  const given = Object.keys(GIVEN).map((name, i) => [`given/${i}.js`, `module.exports = given["${name}"];`] as const);
  const all: Readonly<Record<string, string>> = {
    "package.json": "{}",
    "babel.config.js": `module.exports = { presets: [${PRESET}] };`,
    ...Object.fromEntries(given),
    ...files,
  };
  for (const [name, text] of Object.entries(all)) {
    mkdirSync(dirname(join(folder, name)), { recursive: true });
    writeFileSync(join(folder, name), text);
  }
  const sdk = join(folder, "node_modules/@galley/sdk");
  mkdirSync(sdk, { recursive: true });
  await run("tar", ["-xzf", join(ROOT, "sdk/dist/galley.tgz"), "--strip-components=1", "-C", sdk]);
  const config = mergeConfig(await loadConfig({ cwd: folder }), {
    projectRoot: folder,
    watchFolders: [folder, ...packagesOf(SHARED)],
    resolver: {
      nodeModulesPaths: [MODULES],
      // As React Native and Expo set them.
      resolverMainFields: ["react-native", "browser", "main"],
      unstable_conditionNames: ["react-native"],
      resolveRequest(context, name, platform) {
        const i = platform === "web" ? Object.keys(GIVEN).indexOf(name) : -1;
        return context.resolveRequest(context, i < 0 ? name : join(folder, `given/${i}.js`), platform);
      },
      useWatchman: false,
    },
    transformer: { asyncRequireModulePath: resolve("metro-runtime/src/modules/asyncRequire") },
    reporter: { update() {} },
    cacheStores: [],
    maxWorkers: 1,
  });
  return async (entry, platform) => {
    const bundleOut = join(folder, `bundles/${platform}-${entry}`);
    mkdirSync(dirname(bundleOut), { recursive: true });
    return (await runBuild(config, { entry, platform, dev: false, minify: false, bundleOut })).code;
  };
}

/** The script that gives a browser React and, as `react-native`, React Native for Web. */
export async function givenScript(): Promise<string> {
  const imports = Object.values(GIVEN).map((name, i) => `import * as given${i} from "${name}";`);
  const names = Object.keys(GIVEN).map((name, i) => `"${name}": given${i}`);
  const { outputFiles } = await build({
    stdin: { contents: `${imports.join("")} globalThis.given = { ${names.join()} };`, resolveDir: ROOT },
    ...{ bundle: true, format: "iife", target: "es2022", write: false },
    define: { "process.env.NODE_ENV": '"production"', global: "globalThis" },
  });
  return outputFiles[0]?.text ?? "";
}

/** Folders of packages and of all that they need. */
function packagesOf(names: readonly string[], found = new Set<string>()): ReadonlySet<string> {
  for (const name of names) {
    const folder = join(MODULES, name);
    if (found.has(folder)) continue;
    found.add(folder);
    const { dependencies = {} } = JSON.parse(readFileSync(join(folder, "package.json"), "utf8"));
    packagesOf(Object.keys(dependencies), found);
  }
  return found;
}
