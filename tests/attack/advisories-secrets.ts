import type { Test } from "tap";
import { cpuTime } from "../support/cpu-time.ts";
import { MINUTE, OTHER_PASSWORD, PASSWORD, reasonOf, together } from "../support/people.ts";
import { bare, statusOf, type World } from "./advisories-world.ts";

/** Secrets that work once, what is told of addresses, mailed links. */
export function guardSecrets(t: Test, { app, people, time }: World): void {
  const { post, me, mailed, someone, signIn } = people;

  t.test(
    "GHSA-r3xq-68wh-gwvh (Parse Server): a reset link sets one password, however many use it at once",
    async (t) => {
      const { email } = await someone();
      await post("password/forgot", { email });
      const { token } = await mailed(email, "reset");
      const passwords = Array.from({ length: 8 }, (_, i) => `harbour-${i}-quartz-meadow`);
      const answers = await Promise.all(passwords.map((password) => post("password/reset", { token, password })));
      const statuses = answers.map(({ status }) => status);
      t.equal(statuses.filter((status) => status === 204).length, 1);
      // No more than three hashes of one account get their turn at once.
      t.ok(
        statuses.every((status) => [204, 401, 429].includes(status)),
        `${statuses}`,
      );
      const winner = answers.findIndex(({ status }) => status === 204);
      t.equal(await statusOf(signIn(email, passwords[winner])), 200);
      t.equal(await statusOf(signIn(email, passwords[(winner + 1) % 8])), 401);
    },
  );

  t.test(
    "GHSA-2299-ghjr-6vjp, GHSA-w73w-g5xw-rwhf, GHSA-jpq4-7fmq-q5fj (Parse Server): a code is taken once",
    async (t) => {
      const { email, accessToken } = await someone();
      const sent = await post("email/resend", undefined, accessToken);
      const { code } = await mailed(email, "verify", 2);
      const { challenge } = sent.json.next;
      t.same(await together(5, () => post("email/verify", { challenge, code })), { 204: 1, 401: 4 });
    },
  );

  t.test(
    "GHSA-w54v-hf9p-8856, GHSA-h29g-q5c2-9h4f (Parse Server): another mail is asked for alike, taken or free",
    async (t) => {
      const { email: taken } = await someone();
      await people.settings({ signUp: { confirm: "first" } });
      const ask = async (email: string) => {
        const signUp = await post("sign-up", { email, password: OTHER_PASSWORD });
        time.now += 2 * MINUTE;
        const again = await post("email/resend", { challenge: signUp.json.next.challenge });
        const { next } = again.json;
        return { status: [signUp.status, again.status], headers: bare(again).headers, next: Object.keys(next) };
      };
      t.same(await ask(taken), await ask("nobody-has-this@example.org"));
      await people.settings({ signUp: { confirm: null } });
      const forged = `${"A".repeat(22)}.${"A".repeat(43)}`;
      t.equal(reasonOf(await post("email/resend", { challenge: forged })), "secret_invalid");
    },
  );

  t.test("GHSA-vgjh-hmwf-c588 (Parse Server): a token that is no text is refused, and costs nothing", async (t) => {
    const { email, accessToken, refreshToken, mail } = await someone();
    await post("password/forgot", { email });
    const { token } = await mailed(email, "reset");
    const shapes = [{ $ne: null }, { $regex: "^a" }, { $gt: "" }, [token], 1, true, null];
    const refused: string[] = [];
    for (const shape of shapes) {
      for (const [path, body] of [
        ["password/reset", { token: shape, password: OTHER_PASSWORD }],
        ["email/verify", { token: shape, password: PASSWORD }],
        ["email/verify", { challenge: shape, code: "000000" }],
        ["email/verify", { challenge: mail.token, code: shape }],
        ["email/resend", { challenge: shape }],
        ["refresh", { refreshToken: shape }],
        ["sign-up", { email: "x@example.org", password: PASSWORD, invite: shape }],
        ["sign-in", { email: shape, password: shape }],
        ["password/forgot", { email: shape }],
      ] as const) {
        const { status } = await post(path, body);
        if (status !== 400) refused.push(`${path} ${JSON.stringify(body)}: ${status}`);
      }
    }
    t.same(refused, []);
    t.equal(await statusOf(app.send("POST", `/v1/auth/password/reset?token[$gt]=`, { as: null, body: {} })), 400);
    t.equal(await statusOf(post("email/verify", { token: mail.token }, accessToken)), 204);
    t.equal(await statusOf(post("refresh", { refreshToken })), 200);
    t.equal(await statusOf(post("password/reset", { token, password: OTHER_PASSWORD })), 204);
  });

  t.test("CVE-2024-38351, CVE-2026-44166 (PocketBase): who takes your address first keeps nothing of it", async (t) => {
    const email = people.newEmail();
    const guest = (await post("anonymous")).json.session;
    const squatter = (await post("sign-up", { email, password: PASSWORD }, guest.accessToken)).json.session;
    time.now += 2 * MINUTE;
    const evil = `evil-${email}`;
    const back = await post("email/change", { email: evil }, squatter.accessToken);
    const evilMail = await mailed(evil, "verify");
    await post("password/forgot", { email });
    const { token } = await mailed(email, "reset");
    t.equal(await statusOf(post("password/reset", { token, password: OTHER_PASSWORD })), 204);
    const held = { challenge: back.json.next.challenge, code: evilMail.code };
    t.equal(await statusOf(post("email/verify", held)), 401, "the way back by another mailbox is shut");
    t.equal(await statusOf(post("email/verify", { token: evilMail.token }, squatter.accessToken)), 401);
    for (const { accessToken, refreshToken } of [guest, squatter]) {
      t.equal(await statusOf(me(accessToken)), 401);
      t.equal(await statusOf(post("refresh", { refreshToken })), 401);
    }
    t.equal(await statusOf(signIn(email)), 401);
    t.match((await signIn(email, OTHER_PASSWORD)).json.session.user, { email, emailProven: true });
  });

  t.test("CVE-2026-26185 (Directus): a forgotten password asked for wrongly is refused alike", async (t) => {
    const { email } = await someone();
    const wrong = { resetUrl: "https://evil.example", reset_url: "x", redirectTo: "//evil.example" };
    for (const [name, value] of Object.entries(wrong)) {
      const ask = (address: string) => post("password/forgot", { email: address, [name]: value });
      t.same(bare(await ask(email)), bare(await ask("nobody-at-all@example.org")), name);
      t.equal(await statusOf(ask(email)), 400);
    }
    t.equal(await statusOf(post("password/forgot", { email })), 202, "and no mail was counted");
  });

  t.test("GHSA-3529-5m8x-rpv3 (Supabase Auth): no header of a request gets into a mailed link", async (t) => {
    const evil = {
      host: "evil.example",
      "x-forwarded-host": "evil.example",
      "x-forwarded-proto": "https",
      "x-forwarded-port": "444",
      "x-original-host": "evil.example",
      referer: "https://evil.example/",
      forwarded: "host=evil.example;proto=https",
    };
    const email = people.newEmail();
    const { accessToken } = (await post("sign-up", { email, password: PASSWORD }, null, evil)).json.session;
    time.now += 2 * MINUTE;
    await post("email/change", { email: `new-${email}` }, accessToken, evil);
    await post("password/forgot", { email }, null, evil);
    const body = { email: `invited-${email}` };
    await app.send("POST", "/v1/admin/users", { body, headers: evil });
    for (const [to, kind] of [
      [email, "verify"],
      [`new-${email}`, "verify"],
      [email, "reset"],
      [body.email, "invite"],
    ] as const) {
      const mail = await mailed(to, kind);
      t.ok(mail.link?.startsWith(`${app.url}/auth/`), `${kind}: ${mail.link}`);
      t.notMatch(mail.source, /evil\.example|:444/);
    }
  });

  t.test(
    "GHSA-jhgf-2h8h-ggxv (Parse Server): the pages of mailed links show nothing of their own address",
    async (t) => {
      const attack = "%22%3E%3Cscript%3Ealert(1)%3C/script%3E";
      for (const page of ["verify", "reset", "invite", "set-up"]) {
        const clean = await app.send("GET", `/auth/${page}`, { as: null });
        t.match([clean.status, clean.headers["content-type"]], [200, /text\/html/]);
        t.notMatch(clean.headers["content-security-policy"], /script-src[^;]*unsafe/);
        const dirty = await app.send("GET", `/auth/${page}?token=${attack}&app=${attack}&error=${attack}`, {
          as: null,
        });
        t.ok(dirty.status !== 200 || dirty.text === clean.text, page);
        t.notMatch(dirty.text, /alert\(1\)/);
      }
    },
  );

  t.test(
    "GHSA-mmpq-5hcv-hf2v (Parse Server): a sign-in costs the same, whoever it is that cannot come in",
    async (t) => {
      const [known, closed] = [await someone(), await someone()];
      await app.send("POST", `/v1/admin/users/${closed.user.id}/disable`);
      const invited = people.newEmail();
      await app.send("POST", "/v1/admin/users", { body: { email: invited } });
      // Else that mail would be put together while the first one is measured.
      await people.mailed(invited, "invite");
      const others = ["nobody-here@example.org", closed.email, invited];
      // The least of several: whatever else this process has to do comes on top. In turn, as code gets faster with use.
      const least = new Map<string, number>();
      for (let i = 0; i < 16; i++) {
        for (const email of [known.email, ...others]) {
          const used = cpuTime();
          await signIn(email, OTHER_PASSWORD);
          if (i > 0) least.set(email, Math.min(used(), least.get(email) ?? Number.POSITIVE_INFINITY));
        }
      }
      const wrong = least.get(known.email) ?? 0;
      for (const email of others) {
        const other = least.get(email) ?? 0;
        t.ok(
          other > wrong / 2 && wrong > other / 2,
          `${other.toFixed(1)} ms of CPU, a wrong password ${wrong.toFixed(1)}`,
        );
      }
    },
  );
}
