/** People of a test app: who signs up, in and out over HTTP, with a clock that the test moves. */
import type { Answer, TestApp } from "./app.ts";
import { mailFor, type ReceivedMail } from "./mailbox.ts";

export const PASSWORD = "plum-orbit-lantern-42";
export const OTHER_PASSWORD = "quartz-meadow-harbour-7";
export const MINUTE = 60_000;

/** Someone who has signed up and is signed in. */
export interface Someone {
  readonly email: string;
  /** What proves the address. */
  readonly mail: ReceivedMail;
  /** Of the session. */
  readonly id: string;
  readonly user: { readonly id: string };
  readonly accessToken: string;
  readonly refreshToken: string;
  readonly deviceToken: string;
}

export type People = ReturnType<typeof peopleOf>;

/**
 * @param app believes `X-Forwarded-For` of this machine: each request comes from a network of its own unless told, because
 * limits of networks are not what most tests look at
 */
export function peopleOf(app: TestApp, time: { now: number }) {
  let networks = 0;
  let count = 0;
  const somewhere = () => ({ "x-forwarded-for": `10.${(networks >> 8) & 255}.${networks++ & 255}.7` });

  const people = {
    somewhere,
    post: (path: string, body?: unknown, as: string | null = null, headers: object = {}): Promise<Answer> =>
      app.send("POST", `/v1/auth/${path}`, {
        ...(body !== undefined && { body }),
        as,
        headers: { ...somewhere(), ...headers },
      }),
    me: (as: string) => app.send("GET", "/v1/auth/me", { as }),
    mailed: (to: string, kind: string, nth = 1) => mailFor(app.folder, to, kind, nth),
    signIn: (email: string, password = PASSWORD, more: object = {}, as: string | null = null) =>
      people.post("sign-in", { email, password, ...more }, as),
    newEmail: () => `person${++count}@example.org`,
    async someone(): Promise<Someone> {
      const email = people.newEmail();
      const answer = await people.post("sign-up", { email, password: PASSWORD });
      if (answer.status !== 201) throw new Error(answer.text);
      const mail = await people.mailed(email, "verify");
      // Another mail to the same address is allowed a minute later.
      time.now += 2 * MINUTE;
      return { email, mail, ...answer.json.session };
    },
    async settings(change: object): Promise<void> {
      const answer = await app.send("PATCH", "/v1/admin/settings", { body: change });
      if (answer.status !== 200) throw new Error(answer.text);
    },
    /** An admin who has come in by an invitation, freshly proven. */
    async admin(role: string): Promise<{ readonly id: string; readonly accessToken: string; readonly email: string }> {
      const email = `${role}${++count}@example.org`;
      const made = await app.send("POST", "/v1/admin/settings/admins", { body: { email, role } });
      const invite = new URLSearchParams(new URL(made.json.link).hash.slice(1)).get("token");
      const entered = await people.post("sign-up", { as: "admin", invite, email, password: PASSWORD });
      if (entered.status !== 201) throw new Error(entered.text);
      return { email, id: made.json.admin.id, accessToken: entered.json.session.accessToken };
    },
  };
  return people;
}

export function reasonOf({ json }: Answer): unknown {
  return json?.error?.details?.reason;
}

/** Sends many at once. @returns how many of each status */
export async function together(count: number, one: (i: number) => Promise<Answer>): Promise<Record<number, number>> {
  const tally: Record<number, number> = {};
  for (const { status } of await Promise.all(Array.from({ length: count }, (_, i) => one(i)))) {
    tally[status] = (tally[status] ?? 0) + 1;
  }
  return tally;
}
