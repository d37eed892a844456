/**
 * Promise P9 for access rules: every node is asked without a pause while a role, a membership or a rule is taken away. Of
 * what begins after the answer, and of what was under way with its body still to come, nothing is judged by the old right.
 */
import { request as httpRequest } from "node:http";
import t, { type Test } from "tap";
import { type Answered, type Galley, startGalleyAlone } from "../support/galleys.ts";
import { hammer, type Question } from "../support/hammer.ts";
import { newDatabase, useMongod, withDatabase } from "../support/mongod.ts";

const BY_ROLE = { "$auth.roles": "editor" };
const BY_TEAM = { teamId: { $in: "$lookup.mine" } };
const BY_MEMBER = { $has: "member" };
const LOOKUPS = {
  mine: { from: "members", where: { userId: "$auth.id" }, select: "teamId" },
  member: { from: "members", where: { userId: "$auth.id", teamId: "$doc.teamId" } },
};

function everywhere(rule: unknown, documents = rule) {
  return { list: rule, get: documents, create: documents, update: documents, delete: documents };
}

/** One right, over one collection. */
interface Right {
  readonly collection: string;
  /** What a question about a document that is there is answered without it. */
  readonly after: { readonly read: number; readonly write: number; readonly create: number };
  take(user: string): Promise<Answered>;
}

function hammerRules(t: Test, nodes: readonly Galley[]): void {
  const [first] = nodes as [Galley];
  const last = nodes.at(-1) as Galley;
  const done = (answer: Answered): Answered => {
    if (answer.status >= 300) throw new Error(answer.text);
    return answer;
  };
  let version = 0;
  const publish = async (ruled: unknown): Promise<Answered> => {
    const collections = {
      role: everywhere(BY_ROLE),
      team: everywhere(BY_TEAM),
      member: everywhere(BY_TEAM, BY_MEMBER),
      ruled: everywhere(ruled),
    };
    const rules = { format: 1, shared: { lookups: LOOKUPS }, collections };
    const body = { rules, ifVersion: version++, acknowledge: [] as unknown[] };
    const answer = await first.send("POST", "/v1/admin/rules/publish", body);
    if (answer.status !== 412) return done(answer);
    const acknowledge = answer.json.error.details.findings.map(({ id }: { id: string }) => id);
    return done(await first.send("POST", "/v1/admin/rules/publish", { ...body, acknowledge }));
  };
  const member = "/v1/documents/members/m";
  const rights: Readonly<Record<string, Right>> = {
    "a role": {
      collection: "role",
      after: { read: 403, write: 403, create: 403 },
      take: (user) => last.send("PATCH", `/v1/admin/users/${user}`, { roles: [] }),
    },
    "a membership that lists go by": {
      collection: "team",
      after: { read: 404, write: 404, create: 403 },
      take: () => last.send("DELETE", member),
    },
    "a membership that documents go by": {
      collection: "member",
      after: { read: 404, write: 404, create: 403 },
      take: () => last.send("PATCH", member, { teamId: "another" }),
    },
    "a rule": { collection: "ruled", after: { read: 403, write: 403, create: 403 }, take: () => publish(false) },
  };

  t.test("nothing is judged by a right whose end was answered", async (t) => {
    let began = 0;
    for (const [name, { collection, after, take }] of Object.entries(rights)) {
      await publish({ "$auth.id": { $exists: true } });
      const { session } = done(await first.send("POST", "/v1/auth/anonymous", {}, null)).json;
      const token: string = session.accessToken;
      const user: string = session.user.id;
      done(await first.send("PATCH", `/v1/admin/users/${user}`, { roles: ["editor"] }));
      done(await first.send("PUT", member, { userId: user, teamId: "t1" }));
      done(await first.send("PUT", `/v1/documents/${collection}/d`, { teamId: "t1", n: 0 }));
      const documents = `/v1/documents/${collection}`;
      const batch = { operations: [{ op: "create", collection, document: { teamId: "t1" } }] };
      const asked: [string, string, number, object?][] = [
        ["GET", `${documents}/d`, after.read],
        ["PATCH", `${documents}/d`, after.write, { $inc: { n: 1 } }],
        ["POST", documents, after.create, { teamId: "t1" }],
        ["POST", "/v1/batch", after.create, batch],
      ];
      const questions = nodes.flatMap(({ url }) =>
        asked.map(([method, path, status, body]): Question => {
          const about = { url, method, path, token, ...(body && { body }) };
          return { ...about, before: [200, 201], after: [status] };
        }),
      );
      // Their bodies end when the right has ended.
      const slow = nodes.flatMap(({ url }) =>
        asked.flatMap(([method, path, , body]) => (body ? [startSlowly(url, method, path, token, body)] : [])),
      );
      const { breaches, after: late } = await hammer(questions, async () => void done(await take(user)));
      began += late;
      t.same(breaches.slice(0, 3), [], `${name}: ${breaches.length} of ${late}`);
      const statuses = await Promise.all(slow.map((request) => request.finish()));
      t.same(
        statuses.filter((status) => status < 400),
        [],
        `${name}: of ${statuses.length} with a slow body`,
      );
    }
    t.comment(`${began} requests began after the answers`);
    t.ok(began > 50, `${began}`);
  });

  t.test("who is nobody any more when the body has come does nothing by it", async (t) => {
    await publish({ "$auth.id": { $exists: true } });
    const { key, secret } = done(await first.send("POST", "/v1/admin/keys", { name: "k", scopes: ["*"] })).json;
    const { session } = done(await first.send("POST", "/v1/auth/anonymous", {}, null)).json;
    const batch = { operations: [{ op: "create", collection: "ruled", document: {} }] };
    const slow = nodes.flatMap(({ url }) => [
      startSlowly(url, "POST", "/v1/documents/ruled", secret, {}),
      startSlowly(url, "POST", "/v1/batch", secret, batch),
      startSlowly(url, "POST", "/v1/admin/keys", secret, { name: "made too late", scopes: ["*"] }),
      startSlowly(url, "POST", "/v1/documents/ruled", session.accessToken, {}),
      startSlowly(url, "POST", "/v1/batch", session.accessToken, batch),
      startSlowly(url, "PATCH", "/v1/auth/me", session.accessToken, { name: "x" }),
    ]);
    // Whatever was sent before on these nodes has been looked at when they answer this.
    for (const { send } of nodes) done(await send("GET", "/v1/admin/keys"));
    done(await last.send("DELETE", `/v1/admin/keys/${key.id}`));
    done(await last.send("POST", `/v1/admin/users/${session.user.id}/sign-out`));
    t.same(
      await Promise.all(slow.map((request) => request.finish())),
      slow.map(() => 401),
    );
  });
}

/** Sends a request but for the end of its body. */
function startSlowly(url: string, method: string, path: string, token: string, body: object) {
  const text = JSON.stringify(body);
  const { hostname, port } = new URL(url);
  const headers = {
    authorization: `Bearer ${token}`,
    "content-type": "application/json",
    "content-length": Buffer.byteLength(text),
  };
  const request = httpRequest({ hostname, port, method, path, headers });
  const status = new Promise<number>((resolve, reject) => {
    request.on("error", reject);
    request.on("response", (reply) => {
      reply.resume();
      reply.on("end", () => resolve(reply.statusCode ?? 0));
    });
  });
  request.write(text.slice(0, 1));
  return {
    finish() {
      request.end(text.slice(1));
      return status;
    },
  };
}

t.test("on one process", async (t) => hammerRules(t, [await startGalleyAlone(t, {})]));

t.test("on two processes and one MongoDB", async (t) => {
  const mongod = await useMongod(t);
  if (!mongod) return;
  const env = {
    GALLEY_MONGODB_URL: withDatabase(mongod.url, newDatabase()),
    GALLEY_SECRET: "a-secret-that-both-of-the-nodes-share",
    GALLEY_PUBLIC_URL: "http://127.0.0.1:4600",
  };
  hammerRules(t, await Promise.all([startGalleyAlone(t, env), startGalleyAlone(t, env)]));
});
