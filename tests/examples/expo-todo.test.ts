/** The Expo example as Metro bundles it: run in a browser, and its SDK where there is only what React Native offers. */
import { readFileSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { type ApiError, type Client, createClient, type LiveState } from "@galley/sdk";
import t from "tap";
import { WebSocket as NodeSocket } from "ws";
import { startApp } from "../support/app.ts";
import { runNative } from "../support/bare-native.ts";
import { startBrowser } from "../support/browser.ts";
import { givenScript, makeNativeApp } from "../support/native-app.ts";
import { ROOT } from "../support/own-modules.ts";
import { PASSWORD } from "../support/people.ts";
import { build, run } from "../support/programs.ts";
import { until } from "../support/until.ts";

interface Todo {
  title: string;
  done: boolean;
  n?: number;
  bytes?: Uint8Array;
}
interface Schema {
  todos: Todo;
}

const WebSocket = NodeSocket as unknown as typeof globalThis.WebSocket;
const EXAMPLE = join(ROOT, "docs/examples/expo-todo");
const STORAGE = "node_modules/@react-native-async-storage/async-storage";
const FILES = {
  "App.tsx": readFileSync(join(EXAMPLE, "App.tsx"), "utf8"),
  "web.js": `import { AppRegistry } from "react-native"; import App from "./App";
    AppRegistry.registerComponent("todos", () => App);
    AppRegistry.runApplication("todos", { rootTag: document.getElementById("root") });`,
  "native.js": `import * as sdk from "@galley/sdk"; import * as live from "@galley/sdk/live";
    import * as react from "@galley/sdk/react"; import App from "./App";
    globalThis.native = { sdk, live, react, App, bytesOf: (...bytes) => new Uint8Array(bytes) };`,
  // Their native halves are on a device. On the web the real ones are little more than this.
  "node_modules/react-native/package.json": "{}",
  "node_modules/react-native/index.js": "exports.StyleSheet = { create: (styles) => styles };",
  "node_modules/expo-crypto/package.json": "{}",
  "node_modules/expo-crypto/index.js": "export const getRandomValues = undefined;",
  [`${STORAGE}/package.json`]: "{}",
  [`${STORAGE}/index.js`]: `const later = async (name, ...values) => localStorage[name](...values);
    export default Object.fromEntries(["getItem", "setItem", "removeItem"].map((name) => [name, (...values) => later(name, ...values)]));`,
};

await build("--if-older");
const folder = t.testdir();
const bundle = await makeNativeApp(folder, FILES);
const app = await startApp();
t.teardown(() => app.close());
await app.send("POST", "/v1/admin/collections", { body: { name: "todos", template: "owner" } });

/** Somebody at another device. */
async function elsewhere(email: string): Promise<Client<Schema>> {
  const db = createClient<Schema>({ url: app.url, WebSocket });
  t.teardown(() => db.close());
  await db.auth.signIn({ email, password: PASSWORD });
  return db;
}

t.test("the app's types hold, by those that the SDK's package brings", async (t) => {
  const types = join(ROOT, "node_modules/@types/react");
  const paths = { react: [types], "react/*": [`${types}/*`] };
  const compilerOptions = {
    // React Native's own types are not here, so what its components hand to callbacks is any.
    ...{
      strict: true,
      noImplicitAny: false,
      noEmit: true,
      target: "es2022",
      module: "esnext",
      moduleResolution: "bundler",
    },
    ...{ jsx: "react-jsx", skipLibCheck: true, types: [], paths },
  };
  const unknown = ["react-native", "expo-crypto", "@react-native-async-storage/async-storage"];
  const declared = unknown.map((name) => `declare module "${name}";`).join("\n");
  writeFileSync(join(folder, "tsconfig.json"), JSON.stringify({ compilerOptions, files: ["App.tsx", "given.d.ts"] }));
  writeFileSync(
    join(folder, "given.d.ts"),
    `${declared}\ndeclare const process: { env: Record<string, string | undefined> };`,
  );
  const tsc = join(ROOT, "node_modules/typescript/bin/tsc");
  const said = await run(process.execPath, [tsc, "-p", folder]).catch(({ stdout }) => stdout);
  t.match(said, { stdout: "" });
});

t.test("the SDK needs nothing but what React Native offers", async (t) => {
  const scope = runNative(await bundle("native.js", "android"));
  const { sdk, live, react, App, bytesOf } = scope.native as Record<string, Record<string, unknown>> & {
    readonly bytesOf: (...bytes: number[]) => Uint8Array;
  };
  t.match([typeof App, typeof live?.createMachine, typeof react?.useLive], ["function", "function", "function"]);
  const { createClient: create, ApiError: Failure } = sdk as unknown as typeof import("@galley/sdk");
  const kept = new Map<string, string>();
  const later = <R>(act: () => R) => new Promise<R>((resolve) => setTimeout(() => resolve(act()), 5));
  const storage = {
    getItem: (key: string) => later(() => kept.get(key) ?? null),
    setItem: (key: string, text: string) => later(() => kept.set(key, text)),
    removeItem: (key: string) => later(() => kept.delete(key)),
  };
  const open = (options: object = {}): Client<Schema> => {
    const db = create<Schema>({ url: app.url, storage, ...options });
    t.teardown(() => db.close());
    return db;
  };
  const failure = (work: Promise<unknown>) =>
    work.then(
      () => undefined,
      (error: ApiError) => error,
    );

  t.throws(() => open({ serviceKey: app.key }), { code: "invalid_argument" }, "a key is not for apps");
  const db = open();
  const todos = db.collection("todos");
  t.equal(await db.auth.ready, null);
  await db.auth.signUp({ email: "ann@example.org", password: PASSWORD });
  delete scope.crypto;
  t.match(await failure(todos.create({ title: "x", done: false })), { message: /crypto\.getRandomValues.*missing/ });
  scope.crypto = { getRandomValues: (array: Uint8Array<ArrayBuffer>) => crypto.getRandomValues(array) };

  const states: LiveState<{ title: string; done: boolean; _v: number }[]>[] = [];
  const list = todos.find({}, { sort: "title" }).live((state) => void states.push(state));
  t.same(await list.ready, []);
  const made = await todos.create({ title: "Büy 🥛", done: false, bytes: bytesOf(1, 2, 250) });
  const [shown] = states.slice(1);
  t.match(shown, { pending: true, data: [{ title: "Büy 🥛" }] }, "shown before it is answered");
  await until(() => list.state.synced);
  const before = states.length;
  await todos.update(made._id, { $set: { done: true }, $inc: { n: 2 } });
  t.match(states[before], { pending: true, data: [{ done: true, n: 2 }] }, "worked out here");
  t.match(await todos.find({ done: true }), [{ title: "Büy 🥛", n: 2 }]);
  await db.transaction(async (tx) => {
    const { n = 0 } = (await tx.collection("todos").get(made._id)) ?? {};
    tx.collection("todos").update(made._id, { n: n + 1 });
  });
  await db.batch((b) => b.collection("todos").create({ title: "Call Ann", done: false }));
  await until(() => list.state.synced && list.state.data?.length === 2);
  t.match(list.state.data, [{ n: 3 }, { title: "Call Ann" }]);

  const NativeController = scope.AbortController as typeof AbortController;
  const controller = new NativeController();
  const asked = failure(todos.find({}, { signal: controller.signal }).then((found) => found));
  controller.abort();
  t.ok(Failure.is(await asked, "aborted"), "a signal without a reason is told as ever");
  const deaf = open({ fetch: () => new Promise(() => {}), timeout: 20 });
  t.match(
    await failure(
      deaf
        .collection("todos")
        .find()
        .then(() => {}),
    ),
    { code: "network", message: /within 20 ms/ },
  );

  const other = await elsewhere("ann@example.org");
  db.connection.pause();
  await until(() => db.connection.status === "off" && !list.state.synced);
  await other.collection("todos").delete(made._id);
  t.equal(list.state.data?.length, 2, "in the background it shows what it had");
  db.connection.resume();
  await until(() => list.state.synced && list.state.data?.length === 1);

  const restarted = open();
  t.equal(restarted.auth.user, null, "not known before the storage was read");
  t.equal((await restarted.auth.ready)?.email, "ann@example.org");
  t.match(await restarted.collection("todos").find(), [{ title: "Call Ann" }]);
});

const found = await startBrowser();
if ("missing" in found) t.test("the example in a browser", { skip: found.missing }, async () => {});
else
  t.test("the app runs on React Native for Web, and rests in the background", async (t) => {
    const { browser } = found;
    const scripts = [
      `window.process = { env: { EXPO_PUBLIC_GALLEY_URL: "${app.url}" } }`,
      await givenScript(),
      await bundle("web.js", "web"),
    ];
    const style = "<style>html, body, #root { height: 100% } body { margin: 0 } #root { display: flex }</style>";
    const site = createServer(({ url }, response) => {
      const script = scripts[Number(/^\/(\d)\.js$/.exec(url ?? "")?.[1])];
      response.setHeader("content-type", script ? "text/javascript; charset=utf-8" : "text/html");
      const tags = scripts.map((_, i) => `<script src="/${i}.js"></script>`);
      response.end(script ?? `<!doctype html><title>Todos</title>${style}<div id="root"></div>${tags.join("")}`);
    });
    await new Promise<void>((resolve) => site.listen(0, "127.0.0.1", resolve));
    t.teardown(async () => {
      await browser.close();
      site.closeAllConnections();
      site.close();
    });
    const page = await browser.newPage({ viewport: { width: 390, height: 780 } });
    const troubles: string[] = [];
    page.on("pageerror", (error) => troubles.push(String(error)));
    const boxes = () =>
      page.$$eval("[role=checkbox]", (all) =>
        all.map((box) => `${box.getAttribute("aria-label")} ${box.getAttribute("aria-checked")}`),
      );
    const shows = (...expected: string[]) => until(async () => `${await boxes()}` === `${expected}`, 15, `${expected}`);
    const press = (name: string) => page.getByRole("button", { name, exact: true }).click();

    await page.goto(`http://localhost:${(site.address() as AddressInfo).port}/`);
    await page.getByLabel("Email").fill("bob@example.org");
    await page.getByLabel("Password").fill("short");
    await press("Make an account");
    await until(async () => /8 characters/.test((await page.getByRole("alert").textContent()) ?? ""));
    await page.getByLabel("Password").fill(PASSWORD);
    await press("Make an account");
    await page.getByLabel("What is there to do?").fill("Buy milk");
    await press("Add");
    await shows("Buy milk false");
    await page.getByRole("checkbox", { name: "Buy milk" }).click();
    await shows("Buy milk true");
    const other = await elsewhere("bob@example.org");
    const made = await other.collection("todos").create({ title: "Call Ann", done: false });
    await shows("Call Ann false", "Buy milk true");

    const { counters } = app.app.live;
    const sockets = counters.sockets;
    const become = (state: string) =>
      page.evaluate(`Object.defineProperty(document, "visibilityState", { value: "${state}", configurable: true });
        document.dispatchEvent(new Event("visibilitychange"));`);
    await become("hidden");
    await until(() => counters.sockets < sockets, 15, "the end of its socket");
    await other.collection("todos").update(made._id, { done: true });
    t.same(await boxes(), ["Call Ann false", "Buy milk true"], "in the background nothing comes");
    await become("visible");
    await shows("Call Ann true", "Buy milk true");

    await page.reload();
    await shows("Call Ann true", "Buy milk true");
    await press("Delete Buy milk");
    await shows("Call Ann true");
    await press("Sign out");
    await page.getByLabel("Email").waitFor();
    t.same([await boxes(), troubles], [[], []]);
  });
