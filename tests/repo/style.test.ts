import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import t from "tap";
import { ROOT } from "../support/own-modules.ts";
import { listSources } from "./sources.ts";
import { breaches } from "./walls.ts";

const SOURCES = listSources(ROOT, ["sdk", "server", "admin-ui", "tests", "docs/examples"]);

t.test("no source file passes the size where one idea became two", async (t) => {
  const long = SOURCES.flatMap((file) => {
    const lines = readFileSync(join(ROOT, file), "utf8").split("\n").length - 1;
    const most = file.startsWith("tests/") ? 400 : 300;
    return lines <= most ? [] : [`${file} has ${lines} lines, at most ${most}`];
  });
  t.same(long, []);
});

t.test("the language neither evaluates text nor imports anything", async (t) => {
  const language = SOURCES.filter((file) => file.startsWith("sdk/"));
  t.ok(language.length > 0);
  t.same(
    language.filter((file) => /\beval\(|new Function\b/.test(readFileSync(join(ROOT, file), "utf8"))),
    [],
  );
});

t.test("no file is named after nothing in particular", async (t) => {
  t.same(
    SOURCES.filter((file) => /(?:^|[/-])(?:utils?|helpers?|common|manager|misc)\b/.test(file)),
    [],
  );
});

t.test("import walls hold, and a breach is told", async (t) => {
  t.same(breaches(ROOT), []);
  const folder = mkdtempSync(join(tmpdir(), "galley-walls-"));
  t.teardown(() => rmSync(folder, { recursive: true }));
  for (const name of ["sdk/protocol", "server/documents", "server/accounts", "admin-ui"]) {
    mkdirSync(join(folder, name), { recursive: true });
  }
  writeFileSync(join(folder, "sdk/protocol/a.ts"), 'import { readFileSync } from "node:fs";');
  writeFileSync(join(folder, "server/documents/a.ts"), 'import { x } from "../accounts/x.ts";');
  writeFileSync(join(folder, "server/a.ts"), 'const s = await import("./stores/sqlite/store.ts");');
  t.same(
    breaches(folder).map((line) => line.split(":")[0]),
    ["sdk/protocol/a.ts", "server/a.ts", "server/documents/a.ts"],
  );
});
