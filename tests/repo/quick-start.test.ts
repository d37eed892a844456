import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import t from "tap";
import { ROOT } from "../support/own-modules.ts";
import { CLEAN_ENV } from "../support/programs.ts";
import { startProcess } from "../support/server-process.ts";

/** Every block of docs/quick-start.md that is marked `sh run`, in order, as one shell session would run them. */
function script(): string {
  const page = readFileSync(join(ROOT, "docs/quick-start.md"), "utf8");
  return [...page.matchAll(/```sh run\n([\s\S]*?)```/g)].map((match) => match[1] as string).join("\n");
}

t.test("the quick start runs as it is written", { timeout: 170_000 }, async (t) => {
  const folder = mkdtempSync(join(tmpdir(), "galley-quick-start-"));
  const server = await startProcess(["server/galley.cjs", "dev"], { GALLEY_DATA_DIR: folder, GALLEY_PORT: "0" });
  t.teardown(async () => {
    await server.end("SIGTERM");
    rmSync(folder, { recursive: true, force: true });
  });
  // ./data is the reader's own folder; a relative import of the SDK from it needs this checkout's packages.
  const text = `unset NODE_OPTIONS\n${script()}`
    .replaceAll("http://127.0.0.1:4600", server.url)
    .replaceAll("data/atlas", `${folder}/atlas`)
    .replaceAll(/data\/(ask|notes|live)\.mjs/g, `tests/quick-start-${process.pid}.mjs`);
  t.teardown(() => rmSync(join(ROOT, `tests/quick-start-${process.pid}.mjs`), { force: true }));
  const shell = spawn("bash", ["-euo", "pipefail", "-c", text], {
    cwd: ROOT,
    env: { ...CLEAN_ENV, GALLEY_DATA_DIR: folder },
    stdio: ["ignore", "pipe", "pipe"],
  });
  let out = "";
  for (const stream of [shell.stdout, shell.stderr]) stream.on("data", (chunk: Buffer) => (out += chunk.toString()));
  const [code] = await once(shell, "close");
  t.equal(code, 0, out.slice(-2000));
  t.match(out, /"title":"Buy milk"/);
  t.match(out, /1 for Ann, 0 for Bob\nnot_found because of notes\.update\.\$use\(mine\)\.ownerId - ownerId is "/);
  t.match(out, /\[ 'Buy milk' \] \[ 'added' \]\n\[ 'Bake bread', 'Buy milk' \] \[ 'added' \]\n/);
  t.match(out, /\d+ states of the board, the last one:\n( {2}\d+ .*\n){10}/);
  t.match(out, /countries: 250 created, 0 updated, 0 unchanged, 0 refused/);
  t.match(out, /cities: 171075 created, 0 updated, 0 unchanged, 0 refused/);
  t.match(out, /Aadorf 🇨🇭|Aarau 🇨🇭|Aarberg 🇨🇭/);
});
