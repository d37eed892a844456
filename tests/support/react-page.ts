import { createServer } from "node:http";
import { createRequire } from "node:module";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { build } from "esbuild";
import type { Browser, Page } from "playwright-core";
import type { TestApp } from "./app.ts";
import { ROOT } from "./own-modules.ts";

/** Pages with tests/support/react-kit.ts as `kit`, on an origin of their own. */
export interface ReactSite {
  /**
   * Opens a page of an app and closes it after the work.
   *
   * @throws Error if the page reported an error that nobody caught, or React complained
   */
  on<R>(app: TestApp, work: (page: Page) => Promise<R>): Promise<R>;
  close(): void;
}

/** @param folder where the copies of `react` and `react-dom` lie; this repository's if absent */
export async function startReactSite(browser: Browser, folder = ROOT): Promise<ReactSite> {
  const { resolve } = createRequire(join(folder, "x.js"));
  const names = ["react", "react-dom", "react-dom/client", "react/jsx-runtime", "scheduler"];
  const { outputFiles } = await build({
    entryPoints: [join(ROOT, "tests/support/react-kit.ts")],
    conditions: ["galley-source"],
    alias: Object.fromEntries(names.map((name) => [name, resolve(name)])),
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
    response.end(script ?? '<!doctype html><title>App</title><script type="module" src="/react-kit.js"></script>');
  });
  await new Promise<void>((resolve) => site.listen(0, "127.0.0.1", resolve));
  return {
    async on(app, work) {
      const context = await browser.newContext();
      const page = await context.newPage();
      const troubles: string[] = [];
      page.on("pageerror", (error) => troubles.push(String(error)));
      page.on("console", (message) => message.type() === "error" && troubles.push(message.text()));
      try {
        await page.goto(`http://localhost:${(site.address() as AddressInfo).port}/#${app.url}`);
        await page.waitForFunction("window.kit");
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
