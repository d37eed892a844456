import { existsSync, mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import Database from "better-sqlite3";
import t, { type Test } from "tap";
import { parseFind } from "../../server/documents/requests.ts";
import type { Position, Write } from "../../server/stores/document-store.ts";
import { changing, createActivity } from "../../server/stores/sqlite/activity.ts";
import { openReading, openWriting } from "../../server/stores/sqlite/connection.ts";
import { createFileMapping } from "../../server/stores/sqlite/file-mapping.ts";
import { MIGRATIONS, type Migration } from "../../server/stores/sqlite/schema/migrations.ts";
import { sqliteVersionFault } from "../../server/stores/sqlite/sqlite-version.ts";
import { openSqliteStore } from "../../server/stores/sqlite/store.ts";
import { put, refused, textsOf } from "./document-store/fixture.ts";
import { startStoreProcess } from "./sqlite-process.ts";

function newFolder(t: Test): string {
  const folder = mkdtempSync(join(tmpdir(), "galley-files-"));
  t.teardown(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

const clock = Date.now;

t.test("one store has a folder at a time", async (t) => {
  const folder = newFolder(t);
  const first = await openSqliteStore({ folder, clock });
  const inUse = new RegExp(`^the data folder ${folder} is in use by another Galley process[^\n]*$`);
  await t.rejects(openSqliteStore({ folder, clock }), { code: "failed_precondition", message: inUse });
  const other = startStoreProcess("hold", folder);
  t.not(await other.ended(), 0);
  t.match(other.complaint, `the data folder ${folder} is in use by another Galley process`);
  await first.ensureCollection({ name: "notes", indexes: [] });
  await first.commit([put(first, "a")]);
  await first.close();
  const second = await openSqliteStore({ folder, clock });
  t.equal((await second.get("notes", ["a"])).length, 1);
  await second.close();
});

t.test("a lock ends with its process, however that ends", async (t) => {
  const folder = newFolder(t);
  const holder = startStoreProcess("hold", folder);
  await holder.line((line) => line === "held");
  await refused(t, openSqliteStore({ folder, clock }), "failed_precondition");
  await holder.kill();
  const store = await openSqliteStore({ folder, clock });
  await store.close();
});

t.test("a store that failed to open leaves no lock", async (t) => {
  const folder = newFolder(t);
  writeFileSync(join(folder, "galley.db"), "this is not a database, and long enough to tell".repeat(20));
  await t.rejects(openSqliteStore({ folder, clock }), { code: "failed_precondition", message: /is damaged: restore/ });
  rmSync(join(folder, "galley.db"));
  const store = await openSqliteStore({ folder, clock });
  await store.close();
});

t.test(
  "the folder and its files are their owner's alone",
  { skip: process.platform === "win32" && "no modes" },
  async (t) => {
    const folder = join(newFolder(t), "deep", "data");
    const store = await openSqliteStore({ folder, clock });
    await store.ensureCollection({ name: "notes", indexes: [] });
    await store.commit([put(store, "a")]);
    t.equal(statSync(folder).mode & 0o777, 0o700);
    const files = readdirSync(folder);
    t.ok(files.includes("galley.db-wal"));
    for (const file of files) t.equal(statSync(join(folder, file)).mode & 0o777, 0o600, file);
    await store.close();
    t.notOk(existsSync(join(folder, "galley.db-wal")), "closing leaves one whole file");
  },
);

t.test("every commit of a writing connection is synced", async (t) => {
  const database = openWriting(join(newFolder(t), "galley.db"));
  t.equal(database.pragma("journal_mode", { simple: true }), "wal");
  t.equal(database.pragma("synchronous", { simple: true }), 2);
  database.close();
});

t.test("refuses a SQLite that can lose confirmed writes", async (t) => {
  t.match(sqliteVersionFault("3.51.2"), /3\.51\.2.*3\.51\.3/);
  t.match(sqliteVersionFault("3.9.9"), /3\.51\.3/);
  t.match(sqliteVersionFault("2.99.99"), /3\.51\.3/);
  t.match(sqliteVersionFault("unknown"), /3\.51\.3/);
  for (const version of ["3.51.3", "3.51.10", "3.53.2", "4.0.0"])
    t.equal(sqliteVersionFault(version), undefined, version);
});

t.test("formats", async (t) => {
  const ran: number[] = [];
  const later: Migration[] = [2, 3].map((format) => ({
    format: (MIGRATIONS.at(-1)?.format ?? 0) + format - 1,
    apply: (database) => {
      ran.push(format);
      database.exec(`CREATE TABLE added_${format}(x)`);
    },
  }));
  const newest = MIGRATIONS.at(-1)?.format ?? 0;

  await t.test("an older file is brought to the newest format in order, with its documents", async (t) => {
    const folder = newFolder(t);
    const old = await openSqliteStore({ folder, clock });
    await old.ensureCollection({ name: "notes", indexes: [{ paths: ["n"] }] });
    const a = put(old, "a", { n: 1 });
    await old.commit([a]);
    await old.close();
    const store = await openSqliteStore({ folder, clock, migrations: [...MIGRATIONS, ...later] });
    t.strictSame(ran, [2, 3]);
    t.strictSame(await textsOf(store, ["a"]), [a.text]);
    await store.close();
    await (await openSqliteStore({ folder, clock, migrations: [...MIGRATIONS, ...later] })).close();
    t.strictSame(ran, [2, 3], "each once");
  });

  await t.test("a newer file is refused with both numbers and what to do, and left as it is", async (t) => {
    const folder = newFolder(t);
    await (await openSqliteStore({ folder, clock, migrations: [...MIGRATIONS, ...later] })).close();
    const line = new RegExp(`^.*galley\\.db has format ${newest + 2}, .* up to ${newest}: run the newer [^\n]*$`);
    await t.rejects(openSqliteStore({ folder, clock }), { code: "failed_precondition", message: line });
    await (await openSqliteStore({ folder, clock, migrations: [...MIGRATIONS, ...later] })).close();
  });

  await t.test("a migration that ends early leaves the format before it", async (t) => {
    const folder = newFolder(t);
    await (await openSqliteStore({ folder, clock })).close();
    const [second, third] = later as [Migration, Migration];
    const failing: Migration = {
      ...third,
      apply: (database) => {
        third.apply(database);
        throw new Error("killed");
      },
    };
    await t.rejects(openSqliteStore({ folder, clock, migrations: [...MIGRATIONS, second, failing] }));
    const database = new Database(join(folder, "galley.db"), { readonly: true });
    t.equal(database.prepare("SELECT format FROM _state").pluck().get(), second.format);
    t.strictSame(database.prepare("SELECT name FROM sqlite_schema WHERE name LIKE 'added%'").pluck().all(), [
      "added_2",
    ]);
    database.close();
    await (await openSqliteStore({ folder, clock, migrations: [...MIGRATIONS, second, third] })).close();
  });

  await t.test("a file of another program is refused", async (t) => {
    const folder = newFolder(t);
    const database = new Database(join(folder, "galley.db"));
    database.exec("CREATE TABLE theirs(x)");
    database.close();
    await t.rejects(openSqliteStore({ folder, clock }), {
      code: "failed_precondition",
      message: /is not a file of Galley/,
    });
  });
});

t.test(
  "a page read beside the writer is of one state, that of its position, whether the writer rests or not",
  async (t) => {
    const store = await openSqliteStore({ folder: newFolder(t), clock });
    t.teardown(() => store.close());
    await store.ensureCollection({ name: "pairs", indexes: [{ paths: ["pair"] }] });
    const versions = new Map<string, number>();
    const positions: Position[] = [];

    async function write(n: number): Promise<void> {
      const writes = ["a", "b"].map((id): Write => {
        const expect = versions.get(id) ?? 0;
        const version = store.nextVersion(expect);
        versions.set(id, version);
        const text = `{"_id":"${id}","_v":${version},"n":${n},"pair":1}`;
        return { kind: "put", collection: "pairs", id, expect, version, text };
      });
      positions[n] = await store.commit(writes);
    }

    async function look(): Promise<void> {
      const { filter, sort } = parseFind({ filter: { pair: 1 } }, undefined);
      const budget = { candidates: 1000, milliseconds: 5000 };
      const page = await store.find({ collection: "pairs", filter, sort, limit: 5, budget });
      const [n, other] = page.rows.map(({ value }) => value.n);
      seen.push({ n: n as number, other: other as number, position: page.position });
    }

    const seen: { n: number; other: number; position: Position }[] = [];
    await write(0);
    let last = Promise.resolve();
    for (let n = 1; n <= 300; n++) {
      last = write(n);
      // Some pages meet the writer at work, some before it began, some after it ended.
      for (let turn = 0; turn < n % 7; turn++) {
        await look();
        await new Promise(setImmediate);
      }
      await last;
      await look();
      t.equal(seen.at(-1)?.n, n, "what was acknowledged is seen");
    }
    t.ok(
      seen.every(({ n, other }) => n === other),
      "both documents are of one commit",
    );
    t.ok(
      seen.every(({ n, position }) => position === positions[n]),
      "which is the page's position",
    );
  },
);

t.test("a file is mapped while many reads come between two commits, and only then", (t) => {
  const file = join(newFolder(t), "galley.db");
  openWriting(file).close();
  const database = openReading(file);
  t.teardown(() => database.close());
  const activity = createActivity();
  const mapping = createFileMapping(database, activity);
  const isMapped = () => database.pragma("mmap_size", { simple: true }) !== 0;
  const read = (times: number) => {
    for (let i = 0; i < times; i++) mapping.reading(1);
    return isMapped();
  };
  const commit = () => changing(activity, () => mapping.reading(1));
  t.equal(read(500), false);
  t.equal(read(1), true, "500 were read without a commit");
  commit();
  t.equal(read(20), true, "one commit after so many changes nothing");
  commit();
  t.equal(read(20), false, "one after few does");
  for (let i = 0; i < 100; i++) {
    commit();
    t.equal(read(20), false);
  }
  mapping.reading(500);
  t.equal(read(1), true, "a page counts by its documents");
  t.end();
});
