/** One Galley, and who attacks its sockets; attack-cases.md L. */
import type { Test } from "tap";
import { startApp } from "../support/app.ts";
import type { Engine } from "../support/engines.ts";
import { enterLive, type LiveClient } from "../support/live-client.ts";
import { NO_LIMITS } from "../support/no-limits.ts";
import { peopleOf } from "../support/people.ts";
import { publishRules } from "../support/publish-rules.ts";
import { until } from "../support/until.ts";
import { CANARY } from "./inputs/hidden-questions.ts";

const OWN = { ownerId: "$auth.id" };
const HIDDEN = { read: false, write: true };
const ENV = { GALLEY_TRUSTED_PROXIES: "127.0.0.1", GALLEY_SECRET: "a secret of the tests that is long enough for it" };

/** Ann has what Bob may not see; a witness watches all the time, and must not notice anything. */
export async function openLiveWorld(t: Test, engine: Engine) {
  const time = { now: Date.now() };
  const live = { questionBurst: 700, questionsPerSecond: 700, aheadMs: 300 };
  const app = await startApp({ engine, mode: "production", env: ENV, clock: () => time.now, live });
  t.teardown(() => app.close());
  const people = peopleOf(app, time);
  await people.settings(NO_LIMITS);
  const send = async (method: string, path: string, body?: unknown, as?: string) => {
    const answer = await app.send(method, path, { body, ...(as !== undefined && { as }) });
    if (answer.status >= 300) throw new Error(`${method} ${path}: ${answer.text}`);
    return answer.json;
  };
  const put = (path: string, body: object) => send("PUT", `/v1/documents/${path}`, body);
  const someone = async () => (await people.post("anonymous", {})).json.session;

  const rules = {
    format: 1,
    shared: { lookups: { mine: { from: "members", where: { userId: "$auth.id" }, select: "team" } } },
    collections: {
      posts: {
        ...{ list: true, get: true, update: true },
        fields: { email: HIDDEN, "profile.email": HIDDEN, notes: { read: OWN, write: true } },
      },
      notes: { list: OWN, get: OWN },
      closed: { get: true },
      drafts: { list: { "$auth.roles": "editor" }, get: "list" },
      teamwork: { list: { team: { $in: "$lookup.mine" } }, get: "list" },
    },
  };
  const [ann, bob] = [await someone(), await someone()];
  for (let n = 0; n < 3; n++) {
    const hidden = { email: `${CANARY}${n}`, profile: { email: CANARY, city: "x" }, notes: CANARY };
    await put(`posts/p${n}`, { n, ownerId: ann.user.id, ...hidden });
  }
  for (const path of ["closed/c1", "drafts/d1", "teamwork/t1", "members/m0"]) await put(path, { text: CANARY });
  await put("notes/n1", { ownerId: ann.user.id, text: CANARY });
  await put("notes/n2", { ownerId: bob.user.id, text: "bob's" });
  await publishRules(app, rules);

  const witness = await enterLive(app.url, app.key);
  const watched = witness.find("posts", { sort: ["n"] });
  await witness.answered(watched);
  const clients: LiveClient[] = [witness];
  const enter = async (token?: string, more: object = {}) => {
    const client = await enterLive(app.url, token, more);
    clients.push(client);
    return client;
  };
  /** Whoever came in since the last time, which ends. */
  const leave = (t: Test) => {
    for (const client of clients.splice(1)) {
      t.same(client.complaints, []);
      client.session.end();
    }
  };
  const isServed = async (t: Test) => {
    const n = 1000 + witness.frames.length;
    await put("posts/last", { n });
    await until(() => witness.of(watched).rows.at(-1)?.n === n, 10, "the commit at the witness");
    t.equal(witness.closed, undefined);
  };
  return { app, time, people, rules, ann, bob, witness, send, put, someone, enter, leave, isServed };
}
