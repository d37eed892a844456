/** Commands on a MongoDB; the first as a process of the built program. */
import t from "tap";
import { galley, program, temporaryFolder } from "../support/command-line.ts";
import { useMongod } from "../support/mongod.ts";

const mongod = await useMongod(t);
if (mongod) {
  const folder = temporaryFolder(t);
  const env = { GALLEY_MONGODB_URL: mongod.url };

  t.test("without a server, commands work on the database themselves", async (t) => {
    t.match(await program(folder, ["collections", "create", "notes"], env), { code: 0 });
    t.match(await galley(folder, ["collections", "list"], env), { code: 0, out: /notes: 0 documents/ });
  });

  t.test("doctor tells MongoDB's version and state", async (t) => {
    const { code, out } = await galley(folder, ["doctor"], env);
    t.equal(code, 0);
    t.match(
      out,
      /ok {4}MongoDB: \d+\.\d+\.\d+, replica set \w+ with (?:1 member|\d+ members), primary \S+:\d+, history of [\d.]+ h/,
    );
    t.match(out, /ok {4}store: answers/);
  });

  t.test("doctor tells what is wrong with a MongoDB, without its password", async (t) => {
    const gone = await galley(folder, ["doctor"], { GALLEY_MONGODB_URL: "mongodb://me:hunter2@127.0.0.1:1/x" });
    t.equal(gone.code, 1);
    t.match(gone.out, /FAIL {2}MongoDB: does not answer/);
    const odd = await galley(folder, ["doctor"], { GALLEY_MONGODB_URL: "mongodb://me:hunter2@127.0.0.1/x.y" });
    t.match(odd, { code: 1, err: /^galley doctor: .*\n.*GALLEY_MONGODB_URL: expects a database.*\n$/ });
    t.notMatch(gone.out + gone.err + odd.out + odd.err, /hunter2/);
  });
}
