/** Commands on a MongoDB, as processes of the built program. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import t from "tap";
import { useOwnMongod } from "../support/mongod.ts";
import { CLEAN_ENV, run } from "../support/programs.ts";

function galley(args: readonly string[], env: NodeJS.ProcessEnv) {
  return run(process.execPath, ["server/galley.cjs", ...args], { env: { ...CLEAN_ENV, ...env } }).then(
    ({ stdout, stderr }) => ({ code: 0, out: stdout, err: stderr }),
    ({ code, stdout, stderr }) => ({ code: Number(code), out: String(stdout), err: String(stderr) }),
  );
}

const mongod = await useOwnMongod(t);
if (mongod) {
  const folder = mkdtempSync(join(tmpdir(), "galley-cli-"));
  t.teardown(() => rmSync(folder, { recursive: true, force: true }));
  const env = { GALLEY_DATA_DIR: folder, GALLEY_MONGODB_URL: mongod.url };

  t.test("without a server, commands work on the database themselves", async (t) => {
    t.match(await galley(["collections", "create", "notes"], env), { code: 0 });
    t.match(await galley(["collections", "list"], env), { code: 0, out: /notes: 0 documents/ });
  });

  t.test("doctor tells MongoDB's version and state", async (t) => {
    const { code, out } = await galley(["doctor"], env);
    t.equal(code, 0);
    t.match(
      out,
      /ok {4}MongoDB: \d+\.\d+\.\d+, replica set \w+ with 1 member, primary 127\.0\.0\.1:\d+, history of [\d.]+ h/,
    );
    t.match(out, /ok {4}store: answers/);
  });

  t.test("doctor tells what is wrong with a MongoDB, without its password", async (t) => {
    const gone = await galley(["doctor"], { ...env, GALLEY_MONGODB_URL: "mongodb://me:hunter2@127.0.0.1:1/x" });
    t.equal(gone.code, 1);
    t.match(gone.out, /FAIL {2}MongoDB: does not answer/);
    const odd = await galley(["doctor"], { ...env, GALLEY_MONGODB_URL: "mongodb://me:hunter2@127.0.0.1/x.y" });
    t.match(odd, { code: 1, err: /GALLEY_MONGODB_URL: expects a database/ });
    t.notMatch(gone.out + gone.err + odd.out + odd.err, /hunter2/);
  });
}
