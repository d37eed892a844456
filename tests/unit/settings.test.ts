/** Settings on both engines, on MongoDB with two nodes: configuration.md, accounts.md 3.1, 5.1, 6.2 and 8. */
import { randomBytes } from "node:crypto";
import t, { type Test } from "tap";
import { authorizeAdmin } from "../../server/access/authorize.ts";
import { AUDIT, createAudit } from "../../server/accounts/audit/audit.ts";
import { fresh, putRecord } from "../../server/accounts/record.ts";
import { appUrlFault } from "../../server/accounts/settings/app-url.ts";
import { createSettings, SETTINGS, type SettingsService } from "../../server/accounts/settings/settings.ts";
import { changedSettings, settingsOf } from "../../server/accounts/settings/settings-input.ts";
import type { Commit, DocumentStore } from "../../server/stores/document-store.ts";
import { type Engine, onEachEngine } from "../support/engines.ts";
import { keyPrincipal } from "../support/services.ts";
import type { Teardown } from "../support/teardown.ts";
import { openTwoStores } from "../support/two-stores.ts";

const owner = authorizeAdmin(keyPrincipal(["*"], "k1"), "settings", "write");
const visit = { address: "192.0.2.7", userAgent: "curl/8", requestId: "r-1" };
const ENVIRONMENT = { GALLEY_PORT: { set: true, value: 4600 }, GALLEY_SECRET: { set: true } };
const log = { debug() {}, info() {}, warn() {}, error() {} };
const random = (bytes: number) => randomBytes(bytes);

async function openSettings(t: Teardown, store: DocumentStore, development = false): Promise<SettingsService> {
  const clock = Date.now;
  await store.ensureCollection(AUDIT);
  const audit = createAudit({ store, clock, random, log });
  const settings = await createSettings({ store, clock, random, log, audit, development, environment: ENVIRONMENT });
  t.teardown(() => settings.close());
  return settings;
}

async function openNodes(t: Test, engine: Engine) {
  const [store, other] = await openTwoStores(t, engine);
  return { store, other, first: await openSettings(t, store), second: await openSettings(t, other) };
}

t.test("what nobody has set is as the design says", (t) => {
  const { app, signUp, password, sessions, admins, limits, mail } = settingsOf({});
  t.strictSame(app, { name: "Galley", urls: [] });
  t.strictSame(signUp, { open: true, confirm: "later" });
  t.strictSame(password, { min: 8 });
  t.strictSame(sessions, {
    accessSeconds: 900,
    user: { idleSeconds: 2_592_000, absoluteSeconds: 7_776_000, most: 50 },
    admin: { idleSeconds: 3600, absoluteSeconds: 43_200, most: 50 },
  });
  t.strictSame(limits, {
    anonymous: null,
    user: null,
    network: {
      signInFailuresPerMinute: 100,
      failuresPerMinute: 300,
      refreshFailuresPerMinute: 300,
      keyFailuresPerMinute: 20,
      signUpsPerHour: 100,
      guestsPerHour: 300,
      mailsPerHour: 20,
      codesPerHour: 60,
    },
    account: {
      freePasswordFailures: 5,
      longestWaitSeconds: 900,
      passwordFailuresInARow: 100,
      wrongCodesPerDay: 20,
      mailsPerMinute: 1,
      mailsPerHour: 5,
    },
    session: { refreshesPerMinute: 30 },
  });
  t.strictSame(admins, { networks: [] });
  t.strictSame(mail, { templates: {} });
  t.throws(() => {
    (settingsOf({}).signUp as { open: unknown }).open = false;
  }, "and nobody changes them in passing");
  t.end();
});

t.test("a change is judged whole, and every fault says where it is and what is expected", (t) => {
  const faultsOf = (change: unknown) => {
    try {
      changedSettings({}, change);
      return [];
    } catch (error) {
      return (error as { details: { faults: { path: string }[] } }).details.faults.map(({ path }) => path);
    }
  };
  const wrong = {
    app: { name: " ", urls: ["https://a.example/", "https://a.example/", "javascript:alert(1)"] },
    signUp: { open: "true", confirm: "never", closed: true },
    password: { min: 7, adminMin: 8 },
    admins: { networks: ["10.0.0.0/8", "10.0.0.0/33", "here"] },
    sessions: { accessSeconds: 59, user: { most: 0 }, admin: [] },
    limits: { network: { mailsPerHour: 1.5 }, account: { passwordFailuresInARow: 101 }, session: 5 },
    mail: { templates: { verify: { en: { subject: "a", text: "{{password}}" } } } },
    colours: {},
  };
  t.strictSame(faultsOf(wrong).sort(), [
    "admins.networks.1",
    "admins.networks.2",
    "app.name",
    "app.urls.1",
    "app.urls.2",
    "colours",
    "limits.account.passwordFailuresInARow",
    "limits.network.mailsPerHour",
    "limits.session",
    "mail.templates.verify.en.text",
    "password.adminMin",
    "password.min",
    "sessions.accessSeconds",
    "sessions.admin",
    "sessions.user.most",
    "signUp.closed",
    "signUp.confirm",
    "signUp.open",
  ]);
  for (const body of [undefined, null, [], "signUp", 5]) t.strictSame(faultsOf(body), ["body"]);
  for (const min of [8, 64]) t.strictSame(faultsOf({ password: { min } }), [], `${min}`);
  for (const min of [65, "8", 8.5, true, -8, Number.NaN, {}]) {
    t.strictSame(faultsOf({ password: { min } }), ["password.min"], `${min}`);
  }
  for (const text of ["{}", '{"__proto__":{"signUp":{"open":false}}}', '{"signUp":{"__proto__":{"open":false}}}']) {
    const faults = faultsOf(JSON.parse(text));
    t.strictSame(faults.length, text === "{}" ? 0 : 1, text);
  }
  t.equal(settingsOf({}).signUp.open, true);
  const lives = (sessions: object) => faultsOf({ sessions });
  t.strictSame(lives({ admin: { idleSeconds: 50_000 } }), ["sessions.admin.idleSeconds"]);
  t.strictSame(lives({ admin: { idleSeconds: 50_000, absoluteSeconds: 50_000 } }), []);
  t.strictSame(lives({ user: { idleSeconds: 899 } }), ["sessions.user.idleSeconds"], "no less than an access token's");
  t.strictSame(lives({ user: { idleSeconds: 900 }, accessSeconds: 901 }), ["sessions.user.idleSeconds"]);
  t.strictSame(lives({ user: { idleSeconds: 300 }, admin: { idleSeconds: 300 }, accessSeconds: 300 }), []);
  t.throws(
    () => changedSettings({}, { sessions: { user: { idleSeconds: 300 } } }),
    /sessions\.user\.idleSeconds: expects at least sessions\.accessSeconds, which is 900/,
  );
  t.strictSame(faultsOf({ limits: { anonymous: 0, user: 1.5 } }), ["limits.anonymous", "limits.user"]);
  t.strictSame(faultsOf({ limits: { anonymous: null, user: 1 } }), []);
  t.strictSame(faultsOf({ environment: {} }), ["environment"], "which is for reading");
  t.end();
});

t.test("an address of the app is exact, has one way to be written, and runs nothing", (t) => {
  for (const url of [
    "https://app.example.com/",
    "https://app.example.com:8443/signed-in",
    "http://localhost:3000/",
    "http://127.0.0.1/",
    "http://[::1]:5173/x",
    "com.example.app:/signed-in",
    "myapp://signed-in",
  ]) {
    t.equal(appUrlFault(url), undefined, url);
  }
  for (const url of [
    ...[
      "",
      "app.example.com",
      "//app.example.com/",
      "/signed-in",
      " https://a.example/",
      "https://a.example/ ",
      5,
      null,
    ],
    ...[
      "https://a.example",
      "https://A.example/",
      "https://a.example:443/",
      "https://a.example/a/../b",
      "https:a.example",
    ],
    ...["https://a.example/?x=1", "https://a.example/#x", "https://u@a.example/", "https://*.example.com/"],
    ...["https://a.example\\@evil.example/", "https://ä.example/", "http://a.example/", "http://127.0.0.1.example/"],
    ...[
      "javascript:alert(1)",
      "JavaScript:alert(1)",
      "data:text/html,x",
      "file:///etc/passwd",
      "blob:https://a.example/x",
    ],
    `https://a.example/${"x".repeat(2000)}`,
  ]) {
    t.type(appUrlFault(url), "string", String(url).slice(0, 40));
  }
  t.end();
});

t.test("what is stored and not legal any more counts as not stored", (t) => {
  const { password, signUp, sessions } = settingsOf({
    password: { min: 3 },
    signUp: { open: false, confirm: 5 },
    sessions: { user: 5 },
  });
  t.equal(password.min, 8);
  t.strictSame(signUp, { open: false, confirm: "later" });
  t.equal(sessions.user.most, 50);
  t.end();
});

onEachEngine(t, async (t, engine) => {
  const nodes = await openNodes(t, engine);

  t.test("both nodes go by a change as soon as it is answered, and an audit line tells of it", async (t) => {
    const { first, second, store } = nodes;
    for (let min = 9; min < 30; min++) {
      const [changer, other] = min % 2 ? [first, second] : [second, first];
      const answer = await changer.change(owner, { password: { min }, signUp: { open: "invite" } }, visit);
      t.match(answer, { password: { min }, signUp: { open: "invite", confirm: "later" } });
      t.equal(other.current().password.min, min);
      t.equal(changer.current().password.min, min);
    }
    t.equal(first.current().signUp.open, "invite");
    t.same(await first.all(owner), await second.all(owner));
    t.notOk("adminMin" in (await first.all(owner)).password, "which is no setting");
    t.equal(first.current(), first.current(), "nothing is made anew for nothing");

    const audit = createAudit({ store, clock: Date.now, random, log });
    const { lines } = await audit.list(authorizeAdmin(keyPrincipal(), "audit", "read"), { action: "settings-changed" });
    t.equal(lines.length, 21);
    t.match(lines[0], { by: "k1", requestId: "r-1", details: { changed: ["password.min: 28 -> 29"] } });
    t.match(lines.at(-1), { details: { changed: ['signUp.open: true -> "invite"', "password.min: 8 -> 9"] } });
  });

  t.test("null brings a default back, of a member, of several and of a whole group", async (t) => {
    const { first, second } = nodes;
    await first.change(owner, {
      sessions: { accessSeconds: 60, user: { most: 3, idleSeconds: 600 } },
      limits: { account: { mailsPerHour: 50 } },
      signUp: { confirm: "first" },
    });
    await second.change(owner, { sessions: { user: { most: null } }, limits: { account: null } });
    t.match(first.current(), {
      sessions: { accessSeconds: 60, user: { most: 50, idleSeconds: 600 } },
      limits: { account: { mailsPerHour: 5 } },
      signUp: { confirm: "first" },
    });
    await first.change(owner, { sessions: null, signUp: null, password: null });
    t.same(await second.all(owner), { ...settingsOf({}), environment: ENVIRONMENT });
  });

  t.test("a mail template is changed by kind and language", async (t) => {
    const { first, second } = nodes;
    const [en, de] = [
      { subject: "Prove it", text: "{{link}}" },
      { subject: "Bitte bestätigen", text: "{{link}}" },
    ];
    await first.change(owner, { mail: { templates: { verify: { en, de }, reset: { en } } } });
    await second.change(owner, { mail: { templates: { verify: { de: null, fr: de }, reset: null } } });
    t.strictSame(first.current().mail.templates, { verify: { en, fr: de } });
    const wrong = { mail: { templates: { verify: { en: { subject: "a" } } } } };
    await t.rejects(first.change(owner, wrong), {
      code: "invalid_argument",
      details: { faults: [{ path: "mail.templates.verify.en.text" }] },
    });
    await first.change(owner, { mail: { templates: null } });
    t.strictSame(second.current().mail.templates, {});
  });

  t.test("changes at once, on both nodes, are all kept", async (t) => {
    const { first, second } = nodes;
    const changes = [
      { app: { name: "Boats" } },
      { app: { urls: ["https://app.example.com/"] } },
      { limits: { network: { guestsPerHour: 7 } } },
      { limits: { account: { longestWaitSeconds: 60 } } },
    ];
    await Promise.all(changes.map((body, i) => (i % 2 ? first : second).change(owner, body)));
    for (const { current } of [first, second]) {
      t.match(current(), {
        app: { name: "Boats", urls: ["https://app.example.com/"] },
        limits: { network: { guestsPerHour: 7 }, account: { longestWaitSeconds: 60 } },
      });
    }
  });

  t.test("what changes nothing stores nothing, and others' documents here are left alone", async (t) => {
    const { first, second, store } = nodes;
    await store.commit([putRecord(store, SETTINGS.name, fresh("set-up", 0), { owner: "u1" }, 0)]);
    const commits: Commit[] = [];
    const tail = store.tail(undefined, (commit) => commits.push(commit));
    t.teardown(() => tail.close());
    await second.change(owner, { app: { name: "Boats" } });
    await second.change(owner, {});
    await store.passed(store.position());
    t.equal(commits.length, 0);
    t.strictSame(Object.keys(await first.all(owner)), [
      ...["app", "signUp", "password", "sessions", "admins", "limits", "mail"],
      "environment",
    ]);
  });

  t.test("a node that starts later has what was changed before, and a mode has its own least for admins", async (t) => {
    const { other } = nodes;
    const third = await openSettings(t, other, true);
    t.match(third.current(), { app: { name: "Boats" }, password: { adminMin: 8 } });
    t.equal(nodes.first.current().password.adminMin, 15);
  });

  t.test("a node that missed commits reads all anew, and what it is told meanwhile is newer", async (t) => {
    const { store } = nodes;
    let lose: () => unknown = () => {};
    let meanwhile: () => Promise<unknown> = async () => {};
    const losing: DocumentStore = {
      ...store,
      tail(from, listener, lost) {
        lose = lost ?? lose;
        return store.tail(from, listener, lost);
      },
      async get(collection, ids) {
        const rows = await store.get(collection, ids);
        await meanwhile();
        return rows;
      },
    };
    const late = await openSettings(t, losing);
    const { first } = nodes;
    meanwhile = () => first.change(owner, { app: { name: "Ships" } });
    await lose();
    t.equal(late.current().app.name, "Ships");
  });

  t.test("a node that is out of touch does not tell what it remembers", async (t) => {
    const { store } = nodes;
    const alone = Object.create(store, {
      nodes: { value: { ...store.nodes, inTouch: false, touch: () => Promise.reject(new Error("out of touch")) } },
    }) as DocumentStore;
    const settings = await openSettings(t, alone);
    await t.rejects(settings.all(owner), /out of touch/);
  });
});
