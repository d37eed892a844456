/** Requests as the SDK sends them on Node (sdk/node/fetch.ts). */
import { createServer, type RequestListener } from "node:http";
import { createServer as createSecureServer, globalAgent } from "node:https";
import type { AddressInfo, Server } from "node:net";
import { gzipSync } from "node:zlib";
import { ApiError, createClient } from "@galley/sdk";
import t, { type Test } from "tap";
import { nodeFetch } from "../../sdk/node/fetch.ts";
import { startApp } from "../support/app.ts";
import { makeCertificate } from "../support/certificate.ts";
import { ROOT } from "../support/own-modules.ts";
import { run } from "../support/programs.ts";
import { until } from "../support/until.ts";

const STORED = { _id: "a", _v: 1, _createdAt: { $date: 0 }, _updatedAt: { $date: 0 }, title: "Grüße 🎈" };
const TEXT = JSON.stringify(STORED);

async function listen(t: Test, server: Server & { closeAllConnections(): void }, host = "127.0.0.1"): Promise<number> {
  await new Promise<void>((resolve) => server.listen(0, host, resolve));
  t.teardown(() => {
    server.closeAllConnections();
    server.close();
  });
  return (server.address() as AddressInfo).port;
}

async function todosAt(t: Test, answer: RequestListener, path = "") {
  const port = await listen(t, createServer(answer));
  const db = createClient({ url: `http://127.0.0.1:${port}${path}`, serviceKey: "gsk_x", timeout: 5000 });
  t.teardown(() => db.close());
  return db.collection("todos");
}

/** Puts something in `fetch`'s way, until the test ends. @returns what it was asked */
function standIn(t: Test, put: (asked: typeof fetch) => void, away: () => void) {
  const urls: string[] = [];
  put(async (input) => {
    urls.push(`${input}`);
    return new Response(TEXT);
  });
  t.teardown(away);
  return urls;
}

t.test("one connection carries requests one after another, by Node's own client", async (t) => {
  const ports = new Set<number | undefined>();
  const agents = new Set<string | undefined>();
  const todos = await todosAt(t, ({ socket, headers }, response) => {
    ports.add(socket.remotePort);
    agents.add(headers["user-agent"]);
    response.setHeader("x-galley-position", "h.1").end(TEXT);
  });
  const { fetch } = globalThis;
  t.teardown(() => {
    globalThis.fetch = fetch;
  });
  for (let i = 0; i < 5; i++) t.equal((await todos.get("a"))?.title, STORED.title);
  await todos.update("a", { $set: { title: "y" } });
  t.equal(ports.size, 1);
  t.strictSame([...agents], ["node"], "as fetch calls itself");
});

t.test("bodies arrive whole, with their length and in UTF-8, and without one where there is none", async (t) => {
  const seen: string[] = [];
  const port = await listen(
    t,
    createServer((request, response) => {
      const chunks: Buffer[] = [];
      request.on("data", (chunk) => chunks.push(chunk));
      request.on("end", () => {
        const { "content-length": length, "transfer-encoding": coding } = request.headers;
        seen.push(`${request.method} ${length} ${coding} ${Buffer.concat(chunks)}`);
        if (length === undefined) response.writeHead(204).end();
        else response.end(TEXT);
      });
    }),
  );
  const db = createClient({ url: `http://127.0.0.1:${port}`, serviceKey: "gsk_x" });
  t.teardown(() => db.close());
  const todos = db.collection("todos");
  await todos.set("a", { title: "ü" });
  await todos.delete("a");
  const large = "é".repeat(300_000);
  await todos.set("a", { title: large });
  t.equal(seen[0], 'PUT 14 undefined {"title":"ü"}');
  t.equal(seen[1], "DELETE undefined undefined ");
  await nodeFetch(`http://127.0.0.1:${port}/x/`, { method: "DELETE", body: '{"confirm":"delete"}' });
  t.equal(seen.at(-1), 'DELETE 20 undefined {"confirm":"delete"}');
  t.equal(seen[2], `PUT ${large.length * 2 + 12} undefined {"title":"${large}"}`);
});

t.test("an answer is read in pieces, through the middle of a character, and as a proxy packs it", async (t) => {
  const bytes = Buffer.from(TEXT);
  const middle = bytes.indexOf(Buffer.from("🎈")) + 2;
  let n = 0;
  const todos = await todosAt(t, ({ headers }, response) => {
    if (n++ === 0) {
      response.write(bytes.subarray(0, middle));
      setTimeout(() => response.end(bytes.subarray(middle)), 20);
    } else {
      t.equal(headers["accept-encoding"], "gzip");
      response.setHeader("content-encoding", "gzip").end(n === 2 ? gzipSync(TEXT) : "no gzip at all");
    }
  });
  t.equal((await todos.get("a"))?.title, STORED.title);
  t.equal((await todos.get("a"))?.title, STORED.title);
  const error = await todos.get("a", { signal: AbortSignal.timeout(300) }).catch((thrown) => thrown);
  t.ok(ApiError.is(error, "network", "aborted"), "what is no gzip is no answer");
});

t.test("an answer that breaks off is none, and nobody listening is told as such", async (t) => {
  const todos = await todosAt(t, (_, response) => {
    response.writeHead(200, { "content-length": 1000 });
    response.write(TEXT, () => response.destroy());
  });
  const broken = await todos.update("a", {}).catch((thrown) => thrown);
  t.match(broken, { code: "network", outcome: "unknown", cause: { code: "ECONNRESET" } });
  const server = createServer();
  const port = await listen(t, server);
  await new Promise((resolve) => server.close(resolve));
  const db = createClient({ url: `http://127.0.0.1:${port}`, timeout: 300 });
  t.teardown(() => db.close());
  const refused = await db
    .collection("todos")
    .get("a")
    .catch((thrown) => thrown);
  t.match(refused, { code: "network", cause: { code: "ECONNREFUSED" } });
});

t.test("a request that is aborted leaves no connection, whether it was answered in part or not", async (t) => {
  let open = 0;
  let asked = 0;
  const todos = await todosAt(t, ({ socket, url }, response) => {
    asked++;
    open++;
    socket.on("close", () => open--);
    if (url?.endsWith("half")) response.write(TEXT.slice(0, 9));
  });
  const controllers = [new AbortController(), new AbortController()];
  const both = ["none", "half"].map((id, i) =>
    todos.get(id, { signal: controllers[i]?.signal }).catch((error: ApiError) => error.code),
  );
  await until(() => asked === 2);
  for (const controller of controllers) controller.abort();
  t.strictSame(await Promise.all(both), ["aborted", "aborted"]);
  await until(() => open === 0);
  t.equal(await todos.get("a", { signal: AbortSignal.abort() }).catch(({ code }) => code), "aborted");
  t.equal(asked, 2, "what was aborted before is not sent");
});

t.test("a redirect is not followed", async (t) => {
  const todos = await todosAt(t, ({ url }, response) => {
    if (url === "/elsewhere") t.fail("went there");
    response.writeHead(307, { location: "/elsewhere" }).end();
  });
  t.match(await todos.update("a", {}).catch((thrown) => thrown), { status: 307, code: "internal" });
});

t.test("the address may hold any characters, an IPv6 host, and a name and password of nobody", async (t) => {
  const urls: (string | undefined)[] = [];
  const answer: RequestListener = ({ url, headers }, response) => {
    urls.push(url);
    response.end(JSON.stringify({ ...STORED, title: headers.host }));
  };
  const todos = await todosAt(t, answer, "/mein büro/ä");
  await todos.get("ö");
  t.strictSame(urls, ["/mein%20b%C3%BCro/%C3%A4/v1/documents/todos/%C3%B6"]);
  const port = await listen(t, createServer(answer), "::1").catch(() => 0);
  if (port === 0) return t.comment("no IPv6 here");
  const db = createClient({ url: `http://[::1]:${port}` });
  t.teardown(() => db.close());
  t.equal((await db.collection("todos").get("a"))?.title, `[::1]:${port}`);
});

t.test("https speaks to whom it trusts", async (t) => {
  const certificate = makeCertificate(["127.0.0.1"]);
  const port = await listen(
    t,
    createSecureServer(certificate, (_, response) => response.end(TEXT)),
  );
  const db = createClient({ url: `https://127.0.0.1:${port}`, timeout: 300 });
  t.teardown(() => db.close());
  const todos = db.collection("todos");
  const refused = await todos.get("a").catch((thrown) => thrown);
  t.match(refused, { code: "network", cause: { code: "DEPTH_ZERO_SELF_SIGNED_CERT" } });
  globalAgent.options.ca = certificate.cert;
  t.teardown(() => delete globalAgent.options.ca);
  t.equal((await todos.get("a"))?.title, STORED.title);
});

t.test(
  "what an app has put in fetch's way is asked: a stand-in, another dispatcher, a fetch of the client",
  async (t) => {
    const todos = await todosAt(t, (_, response) => response.end("{}"));
    await t.test("a stand-in", async (t) => {
      const { fetch } = globalThis;
      const urls = standIn(
        t,
        (asked) => Object.assign(globalThis, { fetch: asked }),
        () => Object.assign(globalThis, { fetch }),
      );
      t.equal((await todos.get("a"))?.title, STORED.title);
      t.equal(urls.length, 1);
    });
    await t.test("a dispatcher", async (t) => {
      // Node's own is there once it was asked.
      await fetch("data:,x");
      const key = Symbol.for("undici.globalDispatcher.1");
      const slots = globalThis as unknown as Record<symbol, { dispatch(...given: readonly unknown[]): unknown }>;
      const { [key]: own } = slots;
      let asked = 0;
      class ProxyAgent {
        dispatch(...given: readonly unknown[]) {
          asked++;
          return own?.dispatch(...given);
        }
      }
      slots[key] = new ProxyAgent();
      t.teardown(() => Object.assign(slots, { [key]: own }));
      t.ok(await todos.get("a"));
      t.equal(asked, 1);
    });
    await t.test("the client's", async (t) => {
      let asked = 0;
      const db = createClient({
        url: "http://127.0.0.1:1",
        fetch: async () => {
          asked++;
          return new Response(TEXT);
        },
      });
      t.teardown(() => db.close());
      t.equal((await db.collection("todos").get("a"))?.title, STORED.title);
      t.equal(asked, 1);
    });
  },
);

t.test("so is a stand-in that was there before the SDK was loaded", async (t) => {
  const program = `const urls = [];
    globalThis.fetch = async (url) => (urls.push(url), new Response('{"_id":"a"}'));
    const { createClient } = await import("@galley/sdk");
    const db = createClient({ url: "http://127.0.0.1:1", serviceKey: "gsk_x", timeout: 300 });
    console.log((await db.collection("todos").get("a"))._id, urls.length);`;
  const { stdout } = await run(process.execPath, ["--input-type=module", "-e", program], { cwd: ROOT });
  t.equal(stdout, "a 1\n");
});

t.test("a program ends when it has nothing more to do, though its connection is still open", async (t) => {
  const port = await listen(
    t,
    createServer((_, response) => response.end(TEXT)),
  );
  const program = `import { createClient } from "${new URL("../../sdk/node/index.js", import.meta.url)}";
    const db = createClient({ url: "http://127.0.0.1:${port}", serviceKey: "gsk_x" });
    console.log((await db.collection("todos").get("a"))._id, performance.now());
    process.on("exit", () => console.log(performance.now()));`;
  const { stdout } = await run(process.execPath, ["--input-type=module", "-e", program], { cwd: ROOT });
  const [, answered, ended] = /^a ([\d.]+)\n([\d.]+)\n$/.exec(stdout) ?? [];
  t.ok(Number(ended) - Number(answered) < 2000, stdout);
});

t.test("a fresh process shows its first write at once, as soon as it has a first answer", async (t) => {
  const app = await startApp();
  t.teardown(() => app.close());
  await app.send("PUT", "/v1/documents/todos/a", { body: { n: 1 } });
  // As it is shipped: each file is loaded by itself, when it is needed.
  const program = `
    import { createClient } from "@galley/sdk";
    import { WebSocket } from "ws";
    const todos = createClient({ url: "${app.url}", serviceKey: "${app.key}", WebSocket }).collection("todos");
    const live = todos.find().live();
    await live.ready;
    const answer = todos.update("a", { n: 2 });
    await null;
    console.log(live.state.pending, live.state.data[0].n);
    await answer;
    process.exit();
  `;
  for (let n = 0; n < 3; n++) {
    await app.send("PUT", "/v1/documents/todos/a", { body: { n: 1 } });
    const { stdout } = await run(process.execPath, ["--input-type=module", "-e", program], { cwd: ROOT });
    t.equal(stdout, "true 2\n");
  }
});
