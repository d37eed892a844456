/**
 * The command line, on folders of its own; of each command something as a user runs it, by the built program, and the rest
 * by the same call without a process.
 */
import { readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import t from "tap";
import { galley, program, temporaryFolder } from "../support/command-line.ts";
import { startGalley } from "../support/server-process.ts";

t.test("every command tells its use, and what is not understood exits 2", async (t) => {
  const folder = temporaryFolder(t);
  for (const name of ["dev", "start", "import", "export", "watch", "types", "collections", "keys", "rules", "doctor"]) {
    const { code, out } = await galley(folder, [name, "--help"]);
    t.equal(code, 0);
    t.match(out, new RegExp(`^Usage: galley ${name}`));
  }
  const { version } = JSON.parse(readFileSync("package.json", "utf8")) as { version: string };
  t.match(await program(folder, ["--version"]), { code: 0, out: `${version}\n` });
  t.match(await galley(folder, ["-v"]), { code: 0, out: `${version}\n` });
  t.match(await galley(folder, []), { code: 2 });
  t.match(await program(folder, ["imprt"]), { code: 2, err: /no command "imprt"/ });
  t.match(await galley(folder, ["keys", "--scoop", "x"]), { code: 2, err: "galley keys: Unknown option '--scoop'\n" });
  t.match(await galley(folder, ["watch", "todos", "--sort", "-n"]), { code: 2, err: /write one .* as --sort=-…\n$/ });
  t.match(await galley(folder, ["dev", "4700"]), {
    code: 2,
    err: /^galley dev: expects no argument "4700"; usage: .*\n$/,
  });
});

t.test("without a server, commands work on the folder themselves", async (t) => {
  const folder = temporaryFolder(t);
  const file = join(folder, "todos.json");
  writeFileSync(
    file,
    `[\n{"_id":"a","title":"one, {two} [three] \\"four\\" \\\\","n":{"$numberLong":"9007199254740993"}},\n  {"_id":"b",\n"title":"line\\nbreak"} , {"_id":"c"}]`,
  );
  t.match(await program(folder, ["import", "todos", file]), {
    code: 0,
    out: "todos: 3 created, 0 updated, 0 unchanged, 0 refused\n",
  });
  t.match(await galley(folder, ["import", "todos", file, "--json"]), {
    code: 0,
    out: '{"created":0,"updated":0,"unchanged":3,"refused":0}\n',
  });
  const exported = await program(folder, ["export", "todos"]);
  t.same(await galley(folder, ["export", "todos"]), exported);
  t.equal(exported.code, 0);
  const rows = exported.out
    .trimEnd()
    .split("\n")
    .map((line) => JSON.parse(line));
  t.same(
    rows.map((row) => row._id),
    ["a", "b", "c"],
  );
  t.match(rows[0], { title: 'one, {two} [three] "four" \\', n: { $numberLong: "9007199254740993" } });
  t.equal(rows[1].title, "line\nbreak");

  const out = join(folder, "todos.ndjson");
  t.match(await galley(folder, ["export", "todos", "--out", out]), { code: 0, out: "" });
  const second = temporaryFolder(t);
  t.match(await galley(second, ["import", "todos", out]), { code: 0, out: /3 created/ });
  t.match(await galley(second, ["collections", "show", "todos", "--json"]), { out: /"documents":3/ });
});

t.test("a refused row names its line and fault, and the rest goes on", async (t) => {
  const folder = temporaryFolder(t);
  const file = join(folder, "rows.ndjson");
  writeFileSync(file, '{"_id":"a"}\n{"_id":"b","$bad":1}\nnot json\n{"_id":"c"}\n[1]\n');
  const done = await program(folder, ["import", "rows", file]);
  t.equal(done.code, 1);
  t.match(done.out, /line 2 \(b\): .*\$bad/);
  t.match(done.out, /line 3: /);
  t.match(done.out, /line 5: /);
  t.match(done.out, /rows: 2 created, 0 updated, 0 unchanged, 3 refused/);
  t.match(done.err, "galley import: 3 rows were refused\n");
  for (const [name, args] of [
    ["a missing file", ["import", "rows", join(folder, "none.json")]],
    ["an unknown kind of file", ["import", "rows", join(folder, "server.yaml")]],
    ["a bad name", ["import", "_users", file]],
    ["a missing argument", ["import"]],
  ] as const) {
    const failed = await galley(folder, args);
    t.equal(failed.code, 1, name);
    t.equal(failed.err.trimEnd().split("\n").length, 1, `${name}: one line: ${failed.err}`);
  }
});

t.test("CSV cells are text but where the schema declares a class; empty ones are absent", async (t) => {
  const folder = temporaryFolder(t);
  const schema = join(folder, "schema.json");
  writeFileSync(
    schema,
    JSON.stringify({
      type: "object",
      properties: {
        age: { type: "number" },
        member: { type: "boolean" },
        born: { date: true },
        big: { int64: true },
        home: { type: "object", properties: { city: { type: "string" } } },
      },
    }),
  );
  const file = join(folder, "people.csv");
  writeFileSync(
    file,
    '_id,name,age,member,born,big,home.city,zip\np1,"Ann, ""A""",7,true,2001-02-03T00:00:00Z,9007199254740993,"Bern\nWest",0123\np2,Bob,,,,,,\np3,Cy,old,,,,,\n',
  );
  t.match(await galley(folder, ["collections", "create", "people", "--schema", schema]), { code: 0 });
  const done = await galley(folder, ["import", "people", file]);
  t.match(done, { code: 1, out: /people: 2 created, 0 updated, 0 unchanged, 1 refused/ });
  t.match(done.out, /line 3 \(p3\): .*age/);
  const { out } = await galley(folder, ["export", "people"]);
  const [first, second] = out
    .trimEnd()
    .split("\n")
    .map((line) => JSON.parse(line));
  t.match(first, {
    name: 'Ann, "A"',
    age: 7,
    member: true,
    born: { $date: "2001-02-03T00:00:00.000Z" },
    big: { $numberLong: "9007199254740993" },
    home: { city: "Bern\nWest" },
    zip: "0123",
  });
  t.same(
    Object.keys(second).filter((key) => !key.startsWith("_")),
    ["name"],
  );
});

t.test("commands speak to the server that runs on the folder, or to --url with a key", async (t) => {
  const folder = temporaryFolder(t);
  const server = await startGalley(folder);
  t.teardown(() => server.end("SIGTERM"));
  t.equal(statSync(join(folder, "server.json")).mode & 0o777, 0o600);
  const made = await program(folder, ["keys", "create", "reports", "--scope", "documents:todos:list", "--json"]);
  t.equal(made.code, 0, made.err);
  const { key, secret } = JSON.parse(made.out) as { key: { id: string }; secret: string };
  t.match(secret, /^gsk_[0-9A-Za-z]{12}_[0-9A-Za-z]{49}$/);
  const as = async (method: string, path: string, body?: object) => {
    const headers = { authorization: `Bearer ${secret}`, "content-type": "application/json" };
    return (await fetch(server.url + path, { method, headers, ...(body ? { body: JSON.stringify(body) } : {}) }))
      .status;
  };
  t.equal(await as("GET", "/v1/documents/todos"), 200, "the key may list");
  t.equal(await as("POST", "/v1/documents/todos", {}), 403, "and nothing else");
  const listed = await galley(folder, ["keys", "list"]);
  t.match(listed.out, /reports: documents:todos:list/);
  t.notMatch(listed.out, secret);
  t.match(await galley(folder, ["keys", "revoke", key.id]), { code: 0 });
  t.equal(await as("GET", "/v1/documents/todos"), 401, "revoked at once");

  const elsewhere = temporaryFolder(t);
  const full = await galley(folder, ["keys", "create", "full"]);
  const env = { GALLEY_SERVICE_KEY: full.out.split("\n")[0] };
  t.match(
    await program(
      elsewhere,
      ["collections", "create", "notes", "--index", "author,-at", "--unique", "slug", "--url", server.url],
      env,
    ),
    { code: 0 },
  );
  t.match(await galley(elsewhere, ["collections", "list"], { ...env, GALLEY_URL: server.url }), {
    code: 0,
    out: /notes: 0 documents, 0 bytes\n {2}index author, -at: ready\n {2}index slug \(unique\): ready/,
  });
  t.match(await galley(elsewhere, ["collections", "drop", "notes", "--url", server.url], env), {
    code: 1,
    err: /--yes/,
  });
  t.match(await galley(elsewhere, ["collections", "drop", "notes", "--yes", "--url", server.url], env), { code: 0 });
  t.match(await galley(elsewhere, ["keys", "list", "--url", server.url]), { code: 1, err: /GALLEY_SERVICE_KEY/ });
  for (const [url, key, err] of [
    ["http://127.0.0.1:1", env.GALLEY_SERVICE_KEY, /does not answer/],
    ["ftp://127.0.0.1", "gsk_x", /is not a URL/],
    [server.url, "gsk\nx", /GALLEY_SERVICE_KEY/],
  ] as const) {
    const { code, err: told } = await galley(elsewhere, ["keys", "list", "--url", url], { GALLEY_SERVICE_KEY: key });
    t.equal(code, 1);
    t.match(told, err);
    t.match(told, /^galley keys: .*\n$/, "in one line");
  }
  const keyFile = join(elsewhere, "key");
  writeFileSync(keyFile, `${env.GALLEY_SERVICE_KEY}\n`);
  const byFile = { GALLEY_URL: server.url, GALLEY_SERVICE_KEY_FILE: keyFile };
  t.match(await galley(elsewhere, ["keys", "list"], byFile), { code: 0, out: /full/ });
  t.match(await galley(elsewhere, ["keys", "list"], { ...byFile, GALLEY_SERVICE_KEY_FILE: "none" }), {
    code: 1,
    err: "galley keys: GALLEY_SERVICE_KEY_FILE: expects a readable file (ENOENT)\n",
  });
  const doctor = await program(folder, ["doctor"]);
  t.equal(doctor.code, 0, doctor.out + doctor.err);
  t.match(doctor.out, /ok {4}Node\.js: 2.*\nok {4}disk: .*\nok {4}store: answers/);
});

t.test("rules are tested, pushed, listed and rolled back; what stands in the way is told line by line", async (t) => {
  const folder = temporaryFolder(t);
  const server = await startGalley(folder);
  t.teardown(() => server.end("SIGTERM"));
  const file = join(folder, "rules.json");
  const rules = (...args: string[]) => galley(folder, ["rules", ...args]);
  const write = (collections: object) => writeFileSync(file, JSON.stringify({ format: 1, collections }));
  t.match(await rules("test"), { code: 1, err: /^galley rules: cannot read rules\.json: .*\n$/ });
  t.match(await rules("rollback", "one"), {
    code: 1,
    err: 'galley rules: version: expects a number like 12, got "one"\n',
  });
  t.match(await rules(), { code: 0, out: /^No rules yet/ });
  write({ posts: { updates: true, list: { ownerId: "$auth.uid" } } });
  const bad = await rules("test", "--rules", file);
  t.match(bad, { code: 1, err: "galley rules: found 2 faults\n" });
  t.match(bad.out, /^fault {4}.*updates.*\nfault {4}.*\$auth\.uid.*\n$/);
  const refused = await rules("push", "--rules", file);
  t.match(refused, { code: 1, out: bad.out, err: /^galley rules: .* \(invalid_argument\)\n$/ });
  write({ posts: { list: true, get: "list", delete: { ownerId: "$auth.id" } } });
  const warned = await rules("push", "--rules", file);
  t.match(warned, { code: 1, err: /not published: mend or acknowledge 1 warning \(failed_precondition\)\n$/ });
  t.match(
    warned.out,
    /^warning {2}posts\.delete\.ownerId: .* \[owner_not_scalar\]\n {9}it would do to write \{"ownerId":/,
  );
  const tests = {
    documents: { posts: [{ _id: "p1" }] },
    tests: [{ name: "all read", as: null, lists: [], in: "posts" }],
  };
  writeFileSync(join(folder, "rules.tests.json"), JSON.stringify(tests));
  write({ posts: { list: true, get: "list" } });
  const red = await rules("test", "--rules", file);
  t.match(red, {
    code: 1,
    out: /\[open_read\]\nfailed {3}all read: lists p1 too\n$/,
    err: "galley rules: found 1 failed test\n",
  });
  t.match(await rules("push", "--rules", file), { code: 1, err: /not published: 1 test failed/ });
  const green = JSON.stringify(tests).replace('"lists":[]', '"lists":["p1"]');
  writeFileSync(join(folder, "rules.tests.json"), green);
  t.match(await rules("test", "--rules", file), {
    code: 0,
    out: /passed {3}all read\nNothing stands in the way of a push\.\n$/,
  });
  const note = ["--note", "all may read"];
  t.match(await program(folder, ["rules", "push", "--rules", file, ...note]), {
    code: 0,
    out: /Version 1 is in force\.\n$/,
  });
  t.match(await rules("push", "--rules", file), { code: 0, out: "Version 1 says the same already.\n" });
  rmSync(join(folder, "rules.tests.json"));
  write({ posts: { list: false, get: "list" } });
  t.match(await rules("push", "--rules", file, "--json"), { code: 0, out: /^\{"version":2,.*\}\n$/ });
  t.match(await rules("push", "--rules", file, "--if-version", "1"), {
    code: 1,
    out: "changed  collections.posts.list: true -> false\nchanged  tests: … -> …\n",
    err: /^galley rules: version 2 of the rules is in force, not 1: .* \(version_conflict\)\n$/,
  });
  t.match(await rules("rollback", "1"), { code: 0, out: /\nVersion 3 is in force\.\n$/ });
  t.match(JSON.parse((await rules("show")).out), { collections: { posts: { list: true } } });
  t.match(await rules("versions"), { code: 0, out: /^3 .*: version 1 again\n2 .*\n1 .*: all may read\n$/ });
});

t.test("a template opens a collection in one word, and what is there stays as it is", async (t) => {
  const folder = temporaryFolder(t);
  const server = await startGalley(folder);
  t.teardown(() => server.end("SIGTERM"));
  const create = (...args: string[]) => galley(folder, ["collections", "create", ...args]);
  t.match(await create("todos", "--template", "owner", "--field", "by"), {
    code: 0,
    out: "Created todos. Its rules are in force: see `galley rules show`.\n",
  });
  const rules = JSON.parse((await galley(folder, ["rules", "show"])).out);
  t.match(rules.collections.todos, { macros: { mine: { by: "$auth.id" } }, list: { $use: "mine" }, get: "list" });
  t.match((await galley(folder, ["collections", "show", "todos"])).out, /\n {2}index by: /);
  t.match(await create("todos", "--template", "owner"), {
    code: 1,
    err: /speak of "todos" already.*\(already_exists\)\n$/,
  });
  t.match(await create("x", "--template", "own"), {
    code: 1,
    err: /template: expects one of owner, public-read, team/,
  });
  t.match(await create("notes", "--template", "team"), { code: 0 });
  t.match(await create("tasks", "--template", "team"), { code: 0 });
  const whole = JSON.parse((await galley(folder, ["rules", "show"])).out);
  t.strictSame(Object.keys(whole.collections), ["todos", "teams", "team_members", "notes", "tasks"]);
  t.strictSame(whole.collections.todos, rules.collections.todos);
});

t.test("a file that is no list of documents is refused in one line that names it", async (t) => {
  const folder = temporaryFolder(t);
  const server = await startGalley(folder);
  t.teardown(() => server.end("SIGTERM"));
  for (const [name, text, err] of [
    ["empty.json", "", /ends before its array does/],
    ["object.json", '{"a":1}', /expects a JSON array/],
    ["comma.json", '[{"_id":"a"},]', /comma/],
    ["commas.json", "[,]", /comma/],
    ["late.json", `[${'{"a":1},'.repeat(100_000)}`, /ends before its array does/],
    ["quote.csv", '_id,a\n1,"b\n', /[Qq]uote/],
    ["twice.csv", "_id,a,a\n1,2,3\n", /"a" twice/],
    ["clash.csv", "a,a.b\n1,2\n", /columns clash/],
  ] as const) {
    const file = join(folder, name);
    writeFileSync(file, text);
    const { code, err: told } = await galley(folder, ["import", "odd", file]);
    t.equal(code, 1, name);
    t.match(told, err);
    t.match(told, new RegExp(`^galley import: [^\\n]*${name}: [^\\n]*\\n$`));
  }
});

t.test("a server that was killed leaves a server.json that misleads nobody", async (t) => {
  const folder = temporaryFolder(t);
  const server = await startGalley(folder);
  await server.end("SIGKILL");
  t.match(readFileSync(join(folder, "server.json"), "utf8"), server.url);
  t.match(await galley(folder, ["collections", "list"]), { code: 0, out: "No collections yet.\n" });
});

t.test("a configuration with faults is refused with all of them at once", async (t) => {
  const folder = temporaryFolder(t);
  const done = await program(folder, ["start"], {
    GALLEY_PORT: "99999",
    GALLEY_SECRET: "short",
    GALLEY_HOST: "0.0.0.0",
  });
  t.equal(done.code, 1);
  for (const name of ["GALLEY_PORT", "GALLEY_SECRET", "GALLEY_PUBLIC_URL"]) t.match(done.err, name);
});

t.test("a data folder that cannot be made is told at once", async (t) => {
  const file = join(temporaryFolder(t), "file");
  writeFileSync(file, "");
  // Under /proc mkdir says that the folder above is missing, although it is there.
  for (const folder of [file, join(file, "below"), "/proc/nope", "/proc/nope/below"]) {
    for (const command of [["start"], ["collections", "list"], ["doctor"]]) {
      const { code, err } = await (folder === file ? program : galley)(folder, command);
      t.equal(code, 1, err);
      t.match(err, /GALLEY_DATA_DIR: the folder cannot be made: E[A-Z]+/, `${command.join(" ")} on ${folder}`);
    }
  }
});
