import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { build, type Plugin } from "esbuild";
import type { Browser, Page } from "playwright-core";
import { startApp, type TestApp } from "./app.ts";
import { NO_LIMITS } from "./no-limits.ts";
import { ROOT } from "./own-modules.ts";
import { publishRules } from "./publish-rules.ts";
import type { Teardown } from "./teardown.ts";

/** Pages with tests/support/react-kit.ts as `kit`, on an origin of their own, and the Galley that they use. */
export interface ReactPages {
  readonly app: TestApp;
  /**
   * Runs work in a new page, handed over as text.
   *
   * @param options `prepare`: what is done to the page before
   * @throws Error if the page reported an error that nobody caught, or React complained
   */
  run<R, A = undefined>(work: (argument: A) => Promise<R>, options?: RunOptions<A>): Promise<R>;
}

export interface ReactSite {
  on<R>(app: TestApp, work: (page: Page) => Promise<R>): Promise<R>;
  close(): void;
}

interface RunOptions<A> {
  readonly argument?: A;
  readonly prepare?: (page: Page) => Promise<unknown>;
}

/**
 * @param collections open to everybody
 * @param options `rules` of other collections; `folder`: where the copies of `react` and `react-dom` lie
 */
export async function startReactPages(
  t: Teardown,
  browser: Browser,
  collections: readonly string[],
  { rules = {}, folder = ROOT }: { rules?: object; folder?: string } = {},
): Promise<ReactPages> {
  const app = await startApp();
  const site = await startReactSite(browser, { folder });
  t.teardown(async () => {
    site.close();
    await app.close();
  });
  await app.send("PATCH", "/v1/admin/settings", { body: NO_LIMITS });
  const open = { list: true, get: "list", create: true, update: true, delete: true };
  const all = Object.fromEntries(collections.map((name) => [name, open]));
  await publishRules(app, { format: 1, collections: { ...all, ...rules } });
  return {
    app,
    run: <R, A>(work: (argument: A) => Promise<R>, { argument, prepare }: RunOptions<A> = {}) =>
      site.on(app, async (page) => {
        await prepare?.(page);
        return page.evaluate(work as (argument: unknown) => Promise<R>, argument as unknown);
      }),
  };
}

/**
 * A site whose pages run one program.
 *
 * @param program text of TypeScript with JSX; tests/support/react-kit.ts if absent
 */
export async function startReactSite(
  browser: Browser,
  { folder = ROOT, program }: { folder?: string; program?: string } = {},
): Promise<ReactSite> {
  const kit = join(ROOT, "tests/support/react-kit.ts");
  const { outputFiles } = await build({
    ...(program === undefined
      ? { entryPoints: { program: kit } }
      : { stdin: { contents: program, loader: "tsx", resolveDir: ROOT }, entryNames: "program" }),
    jsx: "automatic",
    conditions: ["galley-source"],
    plugins: [reactOf(folder)],
    define: { "process.env.NODE_ENV": '"development"' },
    bundle: true,
    format: "esm",
    splitting: true,
    outdir: "/",
    write: false,
  });
  const files = new Map(outputFiles.map(({ path, text }) => [path, text]));
  const site = createServer(({ url = "" }, response) => {
    const script = files.get(url);
    response.setHeader("content-type", script === undefined ? "text/html" : "text/javascript");
    response.end(
      script ??
        '<!doctype html><title>App</title><div id="root"></div><script type="module" src="/program.js"></script>',
    );
  });
  await new Promise<void>((resolve) => site.listen(0, "127.0.0.1", resolve));
  return {
    async on(app, work) {
      const context = await browser.newContext();
      const page = await context.newPage();
      const troubles: string[] = [];
      page.on("pageerror", (error) => troubles.push(String(error)));
      // Chromium tells of refused requests by itself.
      const isOwn = (text: string) => !text.startsWith("Failed to load resource");
      page.on(
        "console",
        (message) => message.type() === "error" && isOwn(message.text()) && troubles.push(message.text()),
      );
      try {
        await page.goto(`http://localhost:${(site.address() as AddressInfo).port}/#${app.url}`);
        const result = await work(page);
        if (troubles.length > 0) throw new Error(troubles.join("\n"));
        return result;
      } finally {
        await context.close();
      }
    },
    close() {
      site.closeAllConnections();
      site.close();
    },
  };
}

/** Takes React from one folder, whoever imports it. */
function reactOf(folder: string): Plugin {
  return {
    name: "react",
    setup({ onResolve, resolve }) {
      onResolve({ filter: /^(?:react|react-dom|scheduler)(?:\/|$)/ }, ({ path, kind, pluginData }) =>
        pluginData === folder ? undefined : resolve(path, { kind, resolveDir: folder, pluginData: folder }),
      );
    },
  };
}
