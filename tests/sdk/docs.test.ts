import { readFileSync } from "node:fs";
import { join } from "node:path";
import { build } from "esbuild";
import t from "tap";
import { startApp } from "../support/app.ts";
import { mailFor } from "../support/mailbox.ts";
import { ROOT } from "../support/own-modules.ts";

/** Blocks of a page by the mark behind their fence. */
function blocks(page: string, mark: string): string[] {
  const text = readFileSync(join(ROOT, page), "utf8");
  return [...text.matchAll(new RegExp(`^\`\`\`${mark}\\n([\\s\\S]*?)^\`\`\``, "gm"))].map(
    (match) => match[1] as string,
  );
}

t.test("the accounts and admin parts of docs/sdk.md run as they are written", async (t) => {
  let now = Date.parse("2026-03-01T00:00:00Z");
  const app = await startApp({ clock: () => now });
  t.teardown(() => app.close());
  const asked: string[] = [];
  /** Does what a person at a screen does: looks into the mail. */
  const ask = async (what: string) => {
    asked.push(what);
    const email = "ada@example.org";
    if (what === "Your password") return "quartz-meadow-harbour-7";
    if (what.startsWith("The secret")) return (await mailFor(app.folder, email, "reset")).token;
    return (await mailFor(app.folder, email, "verify", 2)).code;
  };
  const said: unknown[][] = [];
  const console = { log: (...values: unknown[]) => said.push(values) };
  const later = () => {
    now += 120_000;
  };
  const code = blocks("docs/sdk.md", "ts run").map((block) => `later();\n${block}`);
  t.equal(code.length, 5);
  const { outputFiles } = await build({
    stdin: {
      // Imports may stand in any block: in a module they hold everywhere.
      contents: `import { ApiError, createClient } from "@galley/sdk";
        const { console, ask, later } = globalThis.docs;
        const db = createClient({ url: "http://127.0.0.1:4600", serviceKey: "${app.key}" });
        ${code.join("\n")}
        app.close(); db.close();`.replaceAll("http://127.0.0.1:4600", app.url),
      resolveDir: ROOT,
    },
    conditions: ["galley-source"],
    bundle: true,
    format: "esm",
    target: "es2022",
    write: false,
  });
  Object.assign(globalThis, { docs: { console, ask, later } });
  t.teardown(() => Reflect.deleteProperty(globalThis, "docs"));
  await import(`data:text/javascript,${encodeURIComponent(outputFiles[0]?.text ?? "")}`);
  t.strictSame(asked, ["The code that we mailed you", "The secret of the link"]);
  const lines = said.map((values) => values.join(" "));
  for (const line of ["Ada in", "ada@example.org", "nobody out", "Ada Lovelace changed", "nobody ended"]) {
    t.ok(lines.includes(line), line);
  }
  t.match(await app.send("GET", "/v1/admin/settings"), { json: { password: { min: 12 } } });
});
