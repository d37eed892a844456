/**
 * Promise P9 hammered: readers ask every node without a pause while a right is taken away. Of the requests that begin after
 * the call that took it is answered, not one is judged by it; over real processes, two of them on one MongoDB.
 */
import t, { type Test } from "tap";
import { type Answered, type Galley, mailFrom, startGalleyAlone } from "../support/galleys.ts";
import { hammer, type Question } from "../support/hammer.ts";
import { newDatabase, useMongod, withDatabase } from "../support/mongod.ts";
import { NO_LIMITS } from "../support/no-limits.ts";
import { OTHER_PASSWORD, PASSWORD } from "../support/people.ts";
import { until } from "../support/until.ts";

interface Session {
  readonly id: string;
  readonly user: { readonly id: string };
  readonly accessToken: string;
  readonly refreshToken: string;
}

interface Revocation {
  readonly questions: readonly Question[];
  readonly revoke: () => Promise<Answered>;
  /** What the call that revokes is answered; 2xx unless told. */
  readonly status?: number;
}

function hammerAll(t: Test, nodes: readonly [Galley, Galley]): void {
  let count = 0;
  let [here] = nodes;
  const urls = [...new Set(nodes.map(({ url }) => url))];
  const post = (path: string, body?: object, as: string | null = null) => here.send("POST", `/v1/${path}`, body, as);
  const done = ({ status, text, json }: Answered) => {
    if (status >= 300) throw new Error(text);
    return json;
  };
  const newEmail = () => `p${++count}@example.org`;
  const signUp = async (email = newEmail()): Promise<Session & { readonly email: string }> => ({
    email,
    ...done(await post("auth/sign-up", { email, password: PASSWORD })).session,
  });
  const signIn = async (email: string): Promise<Session> =>
    done(await post("auth/sign-in", { email, password: PASSWORD })).session;
  const asked = (
    token: string,
    before: readonly number[],
    after: number,
    list: readonly (readonly [method: string, path: string, body?: object])[],
  ): Question[] =>
    urls.flatMap((url) =>
      list.map(([method, path, body]) => ({ url, method, path, body, token, before, after: [after] })),
    );

  /** What a session is good for, on every node. */
  const sessionQuestions = ({ accessToken, refreshToken }: Session): Question[] => [
    ...asked(accessToken, [200], 401, [["GET", "/v1/auth/me"]]),
    // Documents are closed to users: who they are is judged before that.
    ...asked(accessToken, [403], 401, [["POST", "/v1/documents/posts/query", {}]]),
    ...urls.map((url) => ({
      ...{ url, method: "POST", path: "/v1/auth/refresh", body: { refreshToken } },
      ...{ before: [200], after: [401] },
    })),
  ];
  const keyQuestions = (secret: string, after: 401 | 403): Question[] =>
    asked(secret, [200, 201], after, [
      ["GET", "/v1/documents/posts/p"],
      ["POST", "/v1/documents/posts/query", { limit: 1 }],
      ["PUT", "/v1/documents/posts/k", { n: 1 }],
      ["POST", "/v1/batch", { operations: [{ op: "set", collection: "posts", id: "b", document: {} }] }],
    ]);
  const key = async () => {
    const made = await here.send("POST", "/v1/admin/keys", { name: "k", scopes: ["documents:posts:*"] });
    return { id: made.json.key.id as string, secret: made.json.secret as string };
  };
  const admin = async (role: string) => {
    const email = newEmail();
    const { admin, link } = (await here.send("POST", "/v1/admin/settings/admins", { email, role })).json;
    const invite = new URLSearchParams(new URL(link).hash.slice(1)).get("token");
    const { session } = done(await post("auth/sign-up", { as: "admin", invite, email, password: PASSWORD }));
    return { id: admin.id as string, token: session.accessToken as string };
  };
  const ownerQuestions = (token: string, after: 401 | 403): Question[] =>
    asked(token, [200, 201], after, [
      ["GET", "/v1/admin/keys"],
      ["PUT", "/v1/documents/posts/o", { n: 1 }],
    ]);
  const onUser = (act: (id: string) => Promise<Answered>) => async () => {
    const session = await signUp();
    return { questions: sessionQuestions(session), revoke: () => act(session.user.id) };
  };
  const onOwn = (act: (session: Session) => Promise<Answered>) => async () => {
    const session = await signUp();
    return { questions: sessionQuestions(session), revoke: () => act(session) };
  };

  const revocations: Readonly<Record<string, () => Promise<Revocation>>> = {
    "sign-out": onOwn(({ accessToken }) => post("auth/sign-out", undefined, accessToken)),
    "sign-out by the refresh token": onOwn(({ refreshToken }) => post("auth/sign-out", { refreshToken })),
    "one session from the list": async () => {
      const { email, ...phone } = await signUp();
      const desk = await signIn(email);
      const path = `/v1/auth/sessions/${phone.id}`;
      return {
        questions: sessionQuestions(phone),
        revoke: () => here.send("DELETE", path, undefined, desk.accessToken),
      };
    },
    "all other sessions": async () => {
      const { email, ...phone } = await signUp();
      const desk = await signIn(email);
      return {
        questions: sessionQuestions(phone),
        revoke: () => here.send("DELETE", "/v1/auth/sessions", undefined, desk.accessToken),
      };
    },
    "a changed password": async () => {
      const { email, ...phone } = await signUp();
      const desk = await signIn(email);
      const body = { current: PASSWORD, password: OTHER_PASSWORD };
      return {
        questions: sessionQuestions(phone),
        revoke: () => post("auth/password/change", body, desk.accessToken),
      };
    },
    "a password that was reset": async () => {
      const { email, ...phone } = await signUp();
      done(await post("auth/password/forgot", { email }));
      const { token } = await mailFrom(nodes, email, "reset");
      return {
        questions: sessionQuestions(phone),
        revoke: () => post("auth/password/reset", { token, password: OTHER_PASSWORD }),
      };
    },
    "a new address": async () => {
      const { email, ...phone } = await signUp();
      const desk = await signIn(email);
      const moved = newEmail();
      const { next } = done(await post("auth/email/change", { email: moved }, desk.accessToken));
      const { code } = await mailFrom(nodes, moved, "verify");
      return {
        questions: sessionQuestions(phone),
        revoke: () => post("auth/email/verify", { challenge: next.challenge, code }),
      };
    },
    "an account that is removed": onOwn(({ accessToken }) =>
      here.send("DELETE", "/v1/auth/me", { confirm: "delete" }, accessToken),
    ),
    "an account that is closed": onUser((id) => here.send("POST", `/v1/admin/users/${id}/disable`)),
    "a user who is signed out": onUser((id) => here.send("POST", `/v1/admin/users/${id}/sign-out`)),
    "a user who is removed": onUser((id) => here.send("DELETE", `/v1/admin/users/${id}`)),
    "the session that a new proof replaces": async () => {
      const { email, ...session } = await signUp();
      return {
        questions: sessionQuestions(session),
        revoke: () => post("auth/sign-in", { email, password: PASSWORD }, session.accessToken),
      };
    },
    "the guest's session after an upgrade": async () => {
      const guest: Session = done(await post("auth/anonymous")).session;
      return {
        questions: sessionQuestions(guest),
        revoke: () => post("auth/sign-up", { email: newEmail(), password: PASSWORD }, guest.accessToken),
      };
    },
    "the oldest session beyond the most": async () => {
      const { email, ...oldest } = await signUp();
      done(await here.send("PATCH", "/v1/admin/settings", { sessions: { user: { most: 1 } } }));
      return {
        questions: sessionQuestions(oldest),
        revoke: () => post("auth/sign-in", { email, password: PASSWORD }),
      };
    },
    "a refresh token that was used before": async () => {
      await here.send("PATCH", "/v1/admin/settings", { sessions: { user: { most: null } } });
      const session = await signUp();
      let { refreshToken } = session;
      for (let i = 0; i < 2; i++) ({ refreshToken } = done(await post("auth/refresh", { refreshToken })));
      return {
        questions: sessionQuestions({ ...session, refreshToken }),
        revoke: () => post("auth/refresh", { refreshToken: session.refreshToken }),
        status: 401,
      };
    },
    "a key that is removed": async () => {
      const { id, secret } = await key();
      return { questions: keyQuestions(secret, 401), revoke: () => here.send("DELETE", `/v1/admin/keys/${id}`) };
    },
    "a key with fewer scopes": async () => {
      const { id, secret } = await key();
      const body = { scopes: ["documents:others:get"] };
      return { questions: keyQuestions(secret, 403), revoke: () => here.send("PATCH", `/v1/admin/keys/${id}`, body) };
    },
    "a key for other networks": async () => {
      const { id, secret } = await key();
      const body = { networks: ["10.0.0.0/8"] };
      return { questions: keyQuestions(secret, 401), revoke: () => here.send("PATCH", `/v1/admin/keys/${id}`, body) };
    },
    "a key with a new secret": async () => {
      const { id, secret } = await key();
      return {
        questions: keyQuestions(secret, 401),
        revoke: () => here.send("POST", `/v1/admin/keys/${id}/rotate`, {}),
      };
    },
    "an owner who becomes a viewer": async () => {
      const { id, token } = await admin("owner");
      const path = `/v1/admin/settings/admins/${id}`;
      return { questions: ownerQuestions(token, 403), revoke: () => here.send("PATCH", path, { role: "viewer" }) };
    },
    "an admin who is removed": async () => {
      const { id, token } = await admin("owner");
      const path = `/v1/admin/settings/admins/${id}`;
      return { questions: ownerQuestions(token, 401), revoke: () => here.send("DELETE", path) };
    },
  };

  t.test("nothing is judged by a right whose end was answered", async (t) => {
    done(await here.send("PATCH", "/v1/admin/settings", NO_LIMITS));
    // One who stays, so that the others may go.
    await admin("owner");
    done(await here.send("PUT", "/v1/documents/posts/p", { n: 1 }));
    let asked = 0;
    for (const [i, [name, prepare]] of Object.entries(revocations).entries()) {
      here = nodes[i % 2] as Galley;
      const { questions, revoke, status } = await prepare();
      const { breaches, after } = await hammer(questions, async () => {
        const answer = await revoke();
        const expected = status === undefined ? answer.status < 300 : answer.status === status;
        if (!expected) throw new Error(`${name}: ${answer.status} ${answer.text}`);
      });
      asked += after;
      t.same(breaches.slice(0, 3), [], `${name}: ${breaches.length} of ${after}`);
    }
    t.comment(`${asked} requests began after the answers`);
    t.ok(asked > 400, `${asked}`);
  });
}

t.test("on one process", async (t) => {
  const galley = await startGalleyAlone(t, {});
  hammerAll(t, [galley, galley]);
});

t.test("on two processes and one MongoDB", async (t) => {
  const mongod = await useMongod(t);
  if (!mongod) return;
  const env = {
    GALLEY_MONGODB_URL: withDatabase(mongod.url, newDatabase()),
    GALLEY_SECRET: "a-secret-that-both-of-the-nodes-share",
    GALLEY_PUBLIC_URL: "http://127.0.0.1:4600",
  };
  const nodes = await Promise.all([startGalleyAlone(t, env), startGalleyAlone(t, env)]);
  hammerAll(t, nodes);

  t.test(
    "who ends a session by coming in anew is not answered before a node that stands still counts as gone",
    async (t) => {
      const [here, there] = nodes;
      const post = async (path: string, body?: object, as: string | null = null): Promise<Session> =>
        (await here.send("POST", `/v1/auth/${path}`, body, as)).json.session;
      const [email, other] = ["still@example.org", "stands@example.org"];
      const body = { email, password: PASSWORD };
      const [guest, session] = [await post("anonymous"), await post("sign-up", body)];
      const ask = ({ accessToken }: Session) => there.send("GET", "/v1/auth/sessions", undefined, accessToken);
      for (const one of [guest, session]) t.equal((await ask(one)).status, 200);
      process.kill(there.process.pid, "SIGSTOP");
      t.teardown(() => process.kill(there.process.pid, "SIGCONT"));
      const entered = await Promise.all([
        post("sign-in", body, session.accessToken),
        post("sign-up", { email: other, password: PASSWORD }, guest.accessToken),
      ]);
      const late = [guest, session].map(ask);
      process.kill(there.process.pid, "SIGCONT");
      for (const { status, text } of await Promise.all(late)) t.ok(status === 401 || status === 503, text);
      for (const one of entered) await until(async () => (await ask(one)).status === 200);
    },
  );
});
