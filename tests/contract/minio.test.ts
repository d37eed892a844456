/** The real MinIO that the file store is to be tested on: that it comes, works, and leaves nothing behind. */

import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { buffer } from "node:stream/consumers";
import { setTimeout as pause } from "node:timers/promises";
import t from "tap";
import { clientOf, useMinio } from "../support/minio.ts";
import { LOADER, ownModule } from "../support/own-modules.ts";

const minio = await useMinio(t);
const skip = minio ? false : "there is no MinIO";

t.test("an object is stored, read in part, described and deleted", { skip }, async (t) => {
  if (!minio) return;
  const client = clientOf(minio);
  const content = Buffer.from(Array.from({ length: 100_000 }, (_, i) => i % 251));
  const name = "a folder/größe+ä?.bin";
  await client.putObject(minio.bucket, name, content, content.length, { "Content-Type": "image/png" });
  t.ok((await buffer(await client.getObject(minio.bucket, name))).equals(content));
  const part = await buffer(await client.getPartialObject(minio.bucket, name, 1000, 50));
  t.ok(part.equals(content.subarray(1000, 1050)));
  t.match(await client.statObject(minio.bucket, name), { size: 100_000, metaData: { "content-type": "image/png" } });
  await client.removeObject(minio.bucket, name);
  await t.rejects(client.statObject(minio.bucket, name), { code: "NotFound" });
  await t.rejects(client.getObject(minio.bucket, name), { code: "NoSuchKey" });
});

t.test("no server and no file is left when the process that opened it is killed", { skip }, async (t) => {
  const folder = mkdtempSync(join(tmpdir(), "galley-killed-"));
  t.teardown(() => rmSync(folder, { recursive: true, force: true }));
  const module = JSON.stringify(ownModule("tests/support/minio").href);
  const script = `const { endpoint } = await (await import(${module})).openMinio(); console.log(endpoint); setInterval(() => {}, 1e6);`;
  // A server that was given to us would not be started by the child.
  const { GALLEY_TEST_S3_ENDPOINT: _, ...env } = process.env;
  const owner = spawn(process.execPath, [...LOADER, "--input-type=module", "-e", script], {
    env: { ...env, TMPDIR: folder },
    stdio: ["ignore", "pipe", "inherit"],
  });
  const [endpoint] = (await once(createInterface({ input: owner.stdout }), "line")) as [string];
  const servers = () => readdirSync(folder).filter((name) => name.startsWith("galley-minio-"));
  const answers = () =>
    fetch(endpoint).then(
      () => true,
      () => false,
    );
  t.strictSame([await answers(), servers().length], [true, 1]);
  owner.kill("SIGKILL");
  while ((await answers()) || servers().length > 0) await pause(20);
  t.pass("both are gone");
});
