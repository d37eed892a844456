import { existsSync, readdirSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import t from "tap";
import { parseAggregate } from "#protocol/aggregate";
import { ERRORS, Faults } from "#protocol/errors";
import { parseFilter } from "#protocol/filter";
import { CLOSE } from "#protocol/frames";
import { parseUpdate } from "#protocol/update";
import { withTables } from "../bench/harness/performance-page.ts";
import { WORKLOADS } from "../bench/workloads.ts";
import { startApp } from "../support/app.ts";
import { ROOT } from "../support/own-modules.ts";

const read = (path: string) => readFileSync(join(ROOT, path), "utf8");
const PAGES = [
  "README.md",
  ...readdirSync(join(ROOT, "docs"))
    .filter((f) => f.endsWith(".md"))
    .map((f) => `docs/${f}`),
];

/** First cells of a page's table rows, without their code marks. */
function firstCells(page: string): string[] {
  return [...read(page).matchAll(/^\| `([^`]+)` /gm)].map((match) => match[1] as string);
}

t.test("docs/error-codes.md lists every error code with its status and retry, and no other", async (t) => {
  const rows = [...read("docs/error-codes.md").matchAll(/^\| `([a-z_]+)` \| (\d+) \| (yes|no) \|/gm)];
  t.same(
    Object.fromEntries(
      rows.map(([, code, status, retry]) => [code, { status: Number(status), retryable: retry === "yes" }]),
    ),
    ERRORS,
  );
  const source = read("sdk/protocol/errors.ts");
  const union = source.slice(source.indexOf("export type FaultCode"), source.indexOf("/** Whether a failed write"));
  const codes = [...union.matchAll(/"([a-z_]+)"/g)].map((match) => match[1] as string).sort();
  const section = read("docs/error-codes.md").split("## Fault codes")[1] ?? "";
  const listed = [...(section.split("\n\nThe SDK")[0] ?? "").matchAll(/`([a-z_]+)`/g)].map((m) => m[1] as string);
  t.same(listed.sort(), codes, "and every fault code");
});

t.test("docs/configuration.md lists every variable and every command, and no other", async (t) => {
  const source = read("server/config.ts");
  const table = source.slice(source.indexOf("const VARIABLES = {"), source.indexOf("type Variable"));
  const variables = [...table.matchAll(/^ {2}(GALLEY_[A-Z_]+):/gm)].map((match) => match[1] as string);
  const listed = firstCells("docs/configuration.md").filter((cell) => cell.startsWith("GALLEY_"));
  t.same(listed.sort(), variables.sort());

  const commands = [...read("server/cli/index.ts").matchAll(/name: "([a-z]+)"/g)].map((match) => match[1] as string);
  const documented = [...read("docs/configuration.md").matchAll(/^\| `galley ([a-z]+)/gm)].map((m) => m[1] as string);
  t.same(documented.sort(), commands.sort());
});

t.test("docs/http-api.md lists every route that the server describes, and no other", async (t) => {
  const app = await startApp();
  t.teardown(() => app.close());
  const openapi = (await (await fetch(`${app.url}/v1/openapi.json`)).json()) as { paths: Record<string, object> };
  const described = Object.entries(openapi.paths).flatMap(([path, methods]) =>
    Object.keys(methods)
      .filter((method) => method !== "head" && method !== "parameters")
      .map((method) => `${method.toUpperCase()} ${path}`),
  );
  const listed = [...read("docs/http-api.md").matchAll(/^\| `((?:GET|POST|PUT|PATCH|DELETE) \/[^`]*)`/gm)].map(
    (match) => match[1] as string,
  );
  t.same(listed.sort(), described.sort());
});

t.test("docs/realtime.md lists every frame and every close code, and no other", (t) => {
  const source = read("sdk/protocol/frames.ts");
  const kinds = [...source.matchAll(/readonly t: "([a-z]+)"/g)].map((match) => match[1] as string);
  const codes = Object.values(CLOSE).map(String);
  const cells = firstCells("docs/realtime.md");
  t.same(cells.filter((cell) => /^[a-z]+$/.test(cell)).sort(), kinds.sort());
  const listed = [...read("docs/realtime.md").matchAll(/^\|((?: `\d{4}`)+) \|/gm)].flatMap(([, found]) =>
    [...(found ?? "").matchAll(/\d{4}/g)].map(([code]) => code),
  );
  // What a client sees where no close frame came is not the server's to send.
  t.same(listed.filter((code) => code !== "1001" && code !== "1006").sort(), codes.sort());
  t.end();
});

t.test("docs/dependencies.md gives every dependency one line", async (t) => {
  for (const file of ["package.json", "sdk/package.json", "admin-ui/package.json"]) {
    const { dependencies = {}, devDependencies = {} } = JSON.parse(read(file)) as Record<
      string,
      Record<string, string>
    >;
    for (const name of Object.keys({ ...dependencies, ...devDependencies })) {
      t.ok(firstCells("docs/dependencies.md").includes(name), `${name} of ${file} has a line`);
    }
  }
});

t.test("every file that docs name exists", async (t) => {
  for (const page of PAGES) {
    for (const [, link] of read(page).matchAll(/\]\((?!https?:|#)([^)#]+)(?:#[^)]*)?\)/g)) {
      t.ok(existsSync(join(ROOT, dirname(page), link as string)), `${page} links to ${link}`);
    }
  }
  for (const page of ["docs/architecture.md", "docs/adding-a-store.md"]) {
    const named = [...read(page).matchAll(/`((?:server|sdk|tests|admin-ui)\/[A-Za-z0-9_./-]+\.[a-z]+)`/g)];
    t.ok(named.length > 10);
    for (const [, file] of named) t.ok(existsSync(join(ROOT, file as string)), `${page} names ${file}`);
  }
});

t.test("filters, updates and aggregates in docs are ones that the language takes", async (t) => {
  const parsers = { filter: parseFilter, update: parseUpdate, aggregate: parseAggregate };
  let blocks = 0;
  for (const page of PAGES) {
    for (const [, kind, text] of read(page).matchAll(/```json (filter|update|aggregate)\n([\s\S]*?)```/g)) {
      const faults = new Faults();
      parsers[kind as keyof typeof parsers](JSON.parse(text as string), kind as string, faults);
      t.same(faults.list, [], `${page}: ${text}`);
      blocks++;
    }
  }
  t.ok(blocks >= 4);
});

t.test("docs/performance.md tells the figures that the last runs of the benchmarks have left", async (t) => {
  t.equal(withTables(read("docs/performance.md"), WORKLOADS), read("docs/performance.md"));
});
