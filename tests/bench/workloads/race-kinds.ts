/** Every single-use secret of accounts, and what else has one winner: how it comes about, and what twenty send at once. */
import type { LoadRequest } from "../harness/load.ts";
import type { Outbox } from "../harness/outbox.ts";
import { type Answered, comesFrom, PASSWORD, type SignedIn } from "../harness/people.ts";
import { HEADERS } from "../harness/posts.ts";

/** Where a race is run. */
export interface Course {
  /** Sends a request from a network of its own, to one of the nodes. @throws Error if the answer has not this status */
  post(path: string, status: number, body: object, headers?: Record<string, string>): Promise<string>;
  readonly outbox: Outbox;
}

/** What is sent at once. */
export interface Shot {
  readonly path: string;
  /** The same for all, or one for each. */
  body(i: number): object;
  readonly headers?: Record<string, string>;
}

export interface Kind {
  readonly name: string;
  /** Whether new people prove their address first, or later. */
  readonly confirm: "first" | "later";
  /** Makes a secret. @param round makes addresses that nobody else has */
  arm(course: Course, round: number): Promise<Shot>;
  /** What an answer has won; undefined: nothing. All that are won must be one. */
  won(answer: Answered, i: number): string | undefined;
}

const OTHER = "quartz-meadow-harbour-7";
const each = (statuses: number) => (answer: Answered, i: number) => (answer.status === statuses ? `${i}` : undefined);
const parsed = (body: string) => JSON.parse(body) as { session: SignedIn; next: { challenge: string } };
const bearer = ({ accessToken }: Pick<SignedIn, "accessToken">) => ({ authorization: `Bearer ${accessToken}` });

/** Somebody who is signed in, has not proven the address yet, and has the mail by which it is proven. */
async function newcomer({ post, outbox }: Course, email: string) {
  const { session } = parsed(await post("/v1/auth/sign-up", 201, { email, password: PASSWORD }));
  return { session, mail: await outbox.take(email, "verify") };
}

export const KINDS: readonly Kind[] = [
  {
    name: "sign-up code",
    confirm: "first",
    async arm({ post, outbox }, round) {
      const email = `code-${round}@example.org`;
      const { next } = parsed(await post("/v1/auth/sign-up", 202, { email, password: PASSWORD }));
      const { code } = await outbox.take(email, "verify");
      return { path: "/v1/auth/email/verify", body: () => ({ challenge: next.challenge, code }) };
    },
    won: each(200),
  },
  {
    name: "sign-up link",
    confirm: "first",
    async arm({ post, outbox }, round) {
      const email = `link-${round}@example.org`;
      await post("/v1/auth/sign-up", 202, { email, password: PASSWORD });
      const { token } = await outbox.take(email, "verify");
      return { path: "/v1/auth/email/verify", body: () => ({ token, password: PASSWORD }) };
    },
    won: each(200),
  },
  {
    name: "verify link",
    confirm: "later",
    async arm(course, round) {
      const { session, mail } = await newcomer(course, `proof-${round}@example.org`);
      return { path: "/v1/auth/email/verify", body: () => ({ token: mail.token }), headers: bearer(session) };
    },
    won: each(204),
  },
  {
    name: "verify code",
    confirm: "later",
    async arm(course, round) {
      const email = `coded-${round}@example.org`;
      const { session } = await newcomer(course, email);
      const { next } = parsed(await course.post("/v1/auth/email/resend", 202, {}, bearer(session)));
      const { code } = await course.outbox.take(email, "verify");
      return { path: "/v1/auth/email/verify", body: () => ({ challenge: next.challenge, code }) };
    },
    won: each(204),
  },
  {
    name: "password reset",
    confirm: "later",
    async arm(course, round) {
      const email = `forgot-${round}@example.org`;
      await newcomer(course, email);
      await course.post("/v1/auth/password/forgot", 202, { email });
      const { token } = await course.outbox.take(email, "reset");
      return { path: "/v1/auth/password/reset", body: () => ({ token, password: OTHER }) };
    },
    won: each(204),
  },
  {
    name: "e-mail change",
    confirm: "later",
    async arm(course, round) {
      const { session } = await newcomer(course, `before-${round}@example.org`);
      const email = `after-${round}@example.org`;
      const { challenge } = JSON.parse(
        await course.post("/v1/auth/email/change", 202, { email }, bearer(session)),
      ).next;
      const { code } = await course.outbox.take(email, "verify");
      return { path: "/v1/auth/email/verify", body: () => ({ challenge, code }) };
    },
    won: each(204),
  },
  {
    name: "user's invitation",
    confirm: "later",
    async arm({ post, outbox }, round) {
      const email = `invited-${round}@example.org`;
      await post("/v1/admin/users", 201, { email }, HEADERS);
      const { token: invite } = await outbox.take(email, "invite");
      return { path: "/v1/auth/sign-up", body: () => ({ email, invite, password: PASSWORD }) };
    },
    won: each(201),
  },
  {
    name: "admin's invitation",
    confirm: "later",
    async arm({ post, outbox }, round) {
      const email = `admin-${round}@example.org`;
      await post("/v1/admin/settings/admins", 201, { email, role: "viewer" }, HEADERS);
      const { token: invite } = await outbox.take(email, "invite");
      return { path: "/v1/auth/sign-up", body: () => ({ as: "admin", email, invite, password: PASSWORD }) };
    },
    won: each(201),
  },
  {
    name: "refresh",
    confirm: "later",
    async arm({ post }) {
      const { session } = parsed(await post("/v1/auth/anonymous", 201, {}));
      return { path: "/v1/auth/refresh", body: () => ({ refreshToken: session.refreshToken }) };
    },
    // All get the same successor.
    won: ({ status, body }) => (status === 200 ? (JSON.parse(body) as SignedIn).refreshToken : undefined),
  },
  {
    name: "one address in two cases",
    confirm: "later",
    arm: async (_course, round) => ({
      path: "/v1/auth/sign-up",
      body: (i) => ({ email: i % 2 ? `Case-${round}@example.org` : `case-${round}@EXAMPLE.org`, password: PASSWORD }),
    }),
    won: each(201),
  },
];

let networks = 0;

/** The request that one of those at once sends, from a network of its own. */
export function requestOf({ path, body, headers = {} }: Shot, i: number): LoadRequest {
  return { method: "POST", path, headers: { ...comesFrom(networks++), ...headers }, body: JSON.stringify(body(i)) };
}
