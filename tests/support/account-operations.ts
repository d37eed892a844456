/** Every operation of accounts as a client does it, with what it changes in the store (account-shape.ts). */
import type { Shape, Who } from "./account-shape.ts";
import { NOBODY } from "./account-shape.ts";
import type { ReceivedMail } from "./mailbox.ts";

// Operations look into answers by path; what is not there shows as a breach.
// biome-ignore lint/suspicious/noExplicitAny: see above
type Json = any;

/** Someone with a client: what it knows, and what the store is to hold. */
export interface Person extends Who {
  id?: string | undefined;
  pastIds: string[];
  email?: string | undefined;
  password?: string | undefined;
  session?: { id: string; accessToken: string; refreshToken: string } | undefined;
  deviceToken?: string | undefined;
  key?: { id: string; secret: string } | undefined;
  keyId?: string | undefined;
  device: string;
  /** An address that was asked for, and in which session. */
  change?: { challenge: string; email: string; session: string } | undefined;
  /** Reset mails that were asked for to the present address since the password was changed, and before. */
  resets: { open: boolean; asked: number };
  /** What the operation under way is about, and whether no device is known by it any more. */
  plan: { email: string; password: string; forgets?: boolean };
  shape: Shape;
}

export interface Request {
  readonly method: "POST" | "PATCH" | "DELETE";
  readonly path: string;
  readonly body?: object;
  /** A token; null: nobody; absent: the full key. */
  readonly as?: string | null;
}

export interface Operation {
  readonly weight: number;
  /** It waits for a password's hash, which takes longer than all else. */
  readonly hashes?: true;
  fits(person: Person, mails: Mails): boolean;
  request(person: Person, mails: Mails): Request;
  /** What the store holds once it is done. */
  effect(shape: Shape, person: Person): Shape;
  /** What the client knows then, and of what the store holds; `answer` is undefined if it was lost. */
  took(person: Person, answer: Json): void;
}

/** The mails of a kind to an address that have arrived, oldest first. */
export type Mails = (to: string, kind: string) => readonly ReceivedMail[];

export function newPerson(name: string): Person {
  const plan = { email: "", password: "" };
  return { name, pastIds: [], device: `${name}-0`, resets: { open: false, asked: 0 }, plan, shape: NOBODY };
}

const plus = (counts: Shape["mails"], kind: string, more = 1) => ({ ...counts, [kind]: (counts[kind] ?? 0) + more });
const lined = (shape: Shape, action: string, more = 1): Shape => ({ ...shape, lines: plus(shape.lines, action, more) });
const mailed = (shape: Shape, kind: string): Shape => ({ ...shape, mails: plus(shape.mails, kind) });
/** Notices go to proven addresses only. */
const noticed = (shape: Shape, before: Shape, kind: string) => (before.user === "proven" ? mailed(shape, kind) : shape);
const ended = (shape: Shape): Shape["current"] => (shape.current === "none" ? "none" : "ended");
const signedIn = ({ session }: Person) => session !== undefined;
const somebody = ({ shape }: Person) => shape.user === "unproven" || shape.user === "proven";
const token = ({ session }: Person) => session?.accessToken ?? null;

/** The client holds the session of an answer; without one it holds none. */
function hold(person: Person, answer: Json): void {
  person.session = answer?.session;
  if (answer) {
    person.deviceToken = answer.session.deviceToken;
    person.id = answer.session.user.id;
  }
  person.shape = { ...person.shape, current: answer ? 1 : "none" };
}

function newPassword(person: Person, answer: Json): void {
  person.password = person.plan.password;
  person.resets = { open: false, asked: person.resets.asked };
  person.change = undefined;
  hold(person, answer?.session && answer);
}

function newAddress(person: Person, email: string): void {
  person.email = email;
  person.resets = { open: false, asked: 0 };
}

const signUpBody = ({ plan: { email, password }, device }: Person) => ({ email, password, deviceName: device });
const signUpEffect = (shape: Shape, { plan }: Person): Shape => ({
  ...mailed(shape, "verify"),
  ...{ user: "unproven", email: plan.email, credential: 1, password: true, live: 1, ended: shape.ended + shape.live },
  secrets: plus(shape.secrets, "email-proof"),
  current: ended(shape),
});
function signedUp(person: Person, answer: Json): void {
  newAddress(person, person.plan.email);
  newPassword(person, answer);
}
const signInBody = ({ email, password, deviceToken }: Person) => ({
  email,
  password,
  ...(deviceToken && { deviceToken }),
});
const signInEffect = (shape: Shape, { deviceToken }: Person): Shape =>
  lined(deviceToken ? shape : noticed(shape, shape, "new-device"), "sign-in");

export const OPERATIONS: Readonly<Record<string, Operation>> = {
  "sign up": {
    weight: 6,
    hashes: true,
    fits: ({ shape }) => shape.user === "none",
    request: (person) => ({ method: "POST", path: "auth/sign-up", body: signUpBody(person), as: null }),
    effect: (shape, person) => lined(signUpEffect(shape, person), "sign-up"),
    took: signedUp,
  },
  "go on as a guest": {
    weight: 3,
    fits: ({ shape }) => shape.user === "none",
    request: ({ device }) => ({ method: "POST", path: "auth/anonymous", body: { deviceName: device }, as: null }),
    effect: (shape) => lined({ ...shape, user: "guest", live: 1 }, "guest"),
    took: hold,
  },
  upgrade: {
    weight: 6,
    hashes: true,
    fits: (person) => person.shape.user === "guest" && signedIn(person),
    request: (person) => ({ method: "POST", path: "auth/sign-up", body: signUpBody(person), as: token(person) }),
    effect: (shape, person) => lined(signUpEffect(shape, person), "guest-upgraded"),
    took: signedUp,
  },
  "be invited": {
    weight: 3,
    fits: ({ shape }) => shape.user === "none",
    request: ({ plan: { email } }) => ({ method: "POST", path: "admin/users", body: { email } }),
    effect(shape, { plan: { email } }) {
      const secrets = plus(shape.secrets, "invite");
      return lined(mailed({ ...shape, user: "unproven", email, credential: 1, secrets }, "invite"), "user-made");
    },
    took(person, answer) {
      person.id = answer?.id;
      newAddress(person, person.plan.email);
    },
  },
  "take an invitation": {
    weight: 6,
    hashes: true,
    fits: ({ shape, email = "" }, mails) => (shape.secrets.invite ?? 0) > 0 && mails(email, "invite").length > 0,
    request({ email = "", plan: { password } }, mails) {
      const invite = mails(email, "invite").at(-1)?.token;
      return { method: "POST", path: "auth/sign-up", body: { email, password, invite }, as: null };
    },
    effect: (shape) =>
      lined({ ...shape, user: "proven", credential: 2, password: true, live: 1, secrets: {} }, "invite-taken"),
    took: newPassword,
  },
  "sign in": {
    weight: 2,
    hashes: true,
    fits: (person) => somebody(person) && person.password !== undefined && person.shape.live < 40,
    request: (person) => ({ method: "POST", path: "auth/sign-in", body: signInBody(person), as: null }),
    effect: (shape, person) => signInEffect({ ...shape, live: shape.live + 1 }, person),
    took: (person, answer) => answer && hold(person, answer),
  },
  "prove again": {
    weight: 2,
    hashes: true,
    fits: (person) => somebody(person) && person.password !== undefined && signedIn(person),
    request: (person) => ({ method: "POST", path: "auth/sign-in", body: signInBody(person), as: token(person) }),
    effect: (shape, person) => signInEffect({ ...shape, ended: shape.ended + 1, current: "ended" }, person),
    took: hold,
  },
  refresh: {
    weight: 6,
    fits: signedIn,
    request: ({ session }) => ({
      ...{ method: "POST", path: "auth/refresh", as: null },
      body: { refreshToken: session?.refreshToken },
    }),
    effect: (shape) => ({ ...shape, current: Number(shape.current) + 1 }),
    took(person, answer) {
      if (answer && person.session) person.session = { ...person.session, ...answer };
    },
  },
  "change the password": {
    weight: 2,
    hashes: true,
    fits: (person) => signedIn(person) && person.password !== undefined,
    request: (person) => ({
      ...{ method: "POST", path: "auth/password/change", as: token(person) },
      body: { current: person.password, password: person.plan.password },
    }),
    effect: (shape) =>
      noticed(
        lined(
          {
            ...shape,
            ...{ credential: shape.credential + 1, live: 1, ended: shape.ended + shape.live, secrets: {} },
            current: "ended",
          },
          "password-changed",
        ),
        shape,
        "password-changed",
      ),
    took: newPassword,
  },
  "forget the password": {
    weight: 2,
    fits: (person) => somebody(person) && person.shape.password,
    request: ({ email }) => ({ method: "POST", path: "auth/password/forgot", body: { email }, as: null }),
    effect: (shape) => mailed({ ...shape, secrets: { ...shape.secrets, "password-reset": 1 } }, "reset"),
    took(person) {
      person.resets = { open: true, asked: person.resets.asked + 1 };
    },
  },
  "reset the password": {
    weight: 6,
    hashes: true,
    fits: ({ resets, email = "" }, mails) => resets.open && mails(email, "reset").length === resets.asked,
    request({ email = "", plan, shape }, mails) {
      const mail = mails(email, "reset").at(-1);
      // Whoever made the account had proven nothing.
      plan.forgets = shape.user !== "proven";
      const body = { token: mail?.token, password: plan.password };
      return { method: "POST", path: "auth/password/reset", body, as: null };
    },
    effect: (shape) =>
      noticed(
        lined(
          {
            ...shape,
            ...{ user: "proven", credential: shape.credential + 1, live: 0, ended: shape.ended + shape.live },
            ...{ secrets: {}, current: ended(shape) },
          },
          "password-reset",
        ),
        shape,
        "password-changed",
      ),
    took(person) {
      newPassword(person, undefined);
      if (person.plan.forgets) person.deviceToken = undefined;
    },
  },
  "prove the address": {
    weight: 4,
    fits: (person, mails) =>
      signedIn(person) &&
      (person.shape.secrets["email-proof"] ?? 0) > 0 &&
      mails(person.email ?? "", "verify").length > 0,
    request: (person, mails) => ({
      ...{ method: "POST", path: "auth/email/verify", as: token(person) },
      body: { token: mails(person.email ?? "", "verify").at(-1)?.token },
    }),
    effect: (shape) =>
      lined({ ...shape, user: "proven", secrets: { ...shape.secrets, "email-proof": 0 } }, "email-proven"),
    took() {},
  },
  "ask for a new address": {
    weight: 2,
    fits: (person) => somebody(person) && signedIn(person),
    request: (person) => ({
      ...{ method: "POST", path: "auth/email/change", as: token(person) },
      body: { email: person.plan.email },
    }),
    effect: (shape) =>
      lined(mailed({ ...shape, secrets: { ...shape.secrets, "email-change": 1 } }, "verify"), "email-change-asked"),
    took(person, answer) {
      const session = person.session?.id ?? "";
      person.change = answer && { challenge: answer.next.challenge, email: person.plan.email, session };
    },
  },
  "take the new address": {
    weight: 6,
    fits: ({ change, session }, mails) =>
      change !== undefined && change.session === session?.id && mails(change.email, "verify").length > 0,
    request({ change }, mails) {
      const code = mails(change?.email ?? "", "verify").at(-1)?.code;
      const body = { challenge: change?.challenge, code };
      return { method: "POST", path: "auth/email/verify", body, as: null };
    },
    effect: (shape, { change }) =>
      noticed(
        lined(
          {
            ...shape,
            ...{ user: "proven", email: change?.email ?? null, credential: shape.credential + 1, secrets: {} },
            ...{ live: 1, ended: shape.ended + shape.live - 1 },
          },
          "email-changed",
        ),
        shape,
        "email-changed",
      ),
    took(person) {
      newAddress(person, person.change?.email ?? "");
      person.change = undefined;
    },
  },
  "sign out": {
    weight: 1,
    fits: (person) => somebody(person) && signedIn(person) && person.password !== undefined,
    request: (person) => ({ method: "POST", path: "auth/sign-out", as: token(person) }),
    effect: (shape) =>
      lined({ ...shape, live: shape.live - 1, ended: shape.ended + 1, current: "ended" }, "session-ended"),
    took: (person) => hold(person, undefined),
  },
  "sign all others out": {
    weight: 1,
    fits: (person) => signedIn(person) && person.shape.live > 1,
    request: (person) => ({ method: "DELETE", path: "auth/sessions", as: token(person) }),
    effect: (shape) =>
      lined({ ...shape, live: 1, ended: shape.ended + shape.live - 1 }, "session-ended", shape.live - 1),
    took() {},
  },
  "remove the account": {
    weight: 1,
    fits: signedIn,
    request: (person) => ({ method: "DELETE", path: "auth/me", body: { confirm: "delete" }, as: token(person) }),
    effect: ({ mails, lines, key }) => lined({ ...NOBODY, mails, lines, key }, "account-deleted"),
    took(person) {
      forget(person);
    },
  },
  "make a key": {
    weight: 0.4,
    fits: ({ shape }) => shape.key === "none",
    request: ({ name }) => ({ method: "POST", path: "admin/keys", body: { name, scopes: ["documents:posts:get"] } }),
    effect: (shape) => ({ ...shape, key: "other" }),
    took: keyMade,
  },
  "rotate the key": {
    weight: 0.4,
    fits: ({ keyId }) => keyId !== undefined,
    request: ({ keyId }) => ({ method: "POST", path: `admin/keys/${keyId}/rotate`, body: {} }),
    effect: (shape) => ({ ...shape, key: "other" }),
    took: keyMade,
  },
  "remove the key": {
    weight: 0.4,
    fits: ({ keyId }) => keyId !== undefined,
    request: ({ keyId }) => ({ method: "DELETE", path: `admin/keys/${keyId}` }),
    effect: (shape) => ({ ...shape, key: "none" }),
    took(person) {
      person.key = undefined;
      person.keyId = undefined;
    },
  },
};

function keyMade(person: Person, answer: Json): void {
  person.key = answer && { id: answer.key.id, secret: answer.secret };
  person.keyId = answer?.key.id ?? person.keyId;
  if (answer) person.shape = { ...person.shape, key: "known" };
}

/** The account is gone, or nobody's any more; what was mailed and written down of it stays. */
export function forget(person: Person): void {
  if (person.id !== undefined) person.pastIds.push(person.id);
  person.id = undefined;
  person.email = undefined;
  person.password = undefined;
  person.session = undefined;
  person.deviceToken = undefined;
  person.change = undefined;
  person.resets = { open: false, asked: 0 };
  const { mails, lines, key } = person.shape;
  person.shape = { ...NOBODY, mails, lines, key };
}
