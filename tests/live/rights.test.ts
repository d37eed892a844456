import t from "tap";
import { startApp } from "../support/app.ts";
import { onEachEngine } from "../support/engines.ts";
import { LiveOutlet } from "../support/live-outlet.ts";
import { peopleOf } from "../support/people.ts";
import { publishRules } from "../support/publish-rules.ts";
import { until } from "../support/until.ts";

const RULES = {
  format: 1,
  shared: {
    lookups: { myTeams: { from: "members", where: { userId: "$auth.id" }, select: "team" } },
  },
  collections: {
    notes: { list: { team: { $in: "$lookup.myTeams" } }, get: { ownerId: "$auth.id" }, create: false },
    members: { list: false },
    news: { list: true, get: true },
  },
};

onEachEngine(t, async (t, engine) => {
  const time = { now: Date.now() };
  const app = await startApp({ engine, clock: () => time.now, env: { GALLEY_TRUSTED_PROXIES: "127.0.0.1" } });
  t.teardown(() => app.close());
  const people = peopleOf(app, time);
  const put = async (path: string, body: object) => {
    const answer = await app.send("PUT", `/v1/documents/${path}`, { body });
    if (answer.status >= 300) throw new Error(answer.text);
  };
  await put("notes/n1", { team: "a", text: "one" });
  await put("news/x", { text: "hello" });
  await put("members/m0", { userId: "nobody", team: "z" });
  await publishRules(app, RULES);
  const open = () => LiveOutlet.open((outlet) => app.app.live.open(outlet, { address: "10.0.0.1" }));

  t.test("shows nothing before somebody is in a team, and stops when they are not any more", async (t) => {
    const someone = await people.someone();
    const socket = open();
    socket.hello(someone.accessToken);
    await socket.welcomed();
    const s = socket.find("notes");
    const n = socket.find("news");
    await socket.answered(s);
    await socket.answered(n);
    t.same(socket.ids(s), []);
    t.same(socket.ids(n), ["x"]);
    await put("members/m1", { userId: someone.user.id, team: "a" });
    await until(() => socket.ids(s).length === 1, 5, socket.told());
    await app.send("DELETE", "/v1/documents/members/m1");
    await put("notes/n1", { team: "a", text: "two" });
    await until(() => socket.ids(s).length === 0, 5, "stop");
    t.same(socket.of(s).resets, ["rights", "rights"]);
    t.notMatch(socket.told(), "two");
    t.same(socket.complaints, []);
  });
});
