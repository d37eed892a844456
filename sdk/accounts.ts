import type { Door } from "./door.ts";
import type { ApiError } from "./error.ts";
import type { Held, Tokens } from "./held.ts";
import type { Call } from "./http.ts";
import type { OwnAuth, Session } from "./session.ts";
import type { Keeper } from "./storage.ts";
import type { Auth, AuthStep, Me, Next, SessionInfo } from "./types/auth.ts";

export interface AccountsOptions {
  readonly session: Session;
  /** Where it is kept that this device is known. */
  readonly devices: Keeper;
  readonly key: string;
  /** Whether it is the console that signs in. */
  readonly admin: boolean;
}

/** The part of `db.auth` that is loaded at first use. */
export interface Accounts extends Omit<Auth, keyof OwnAuth | "sessions"> {
  listSessions: Auth["sessions"]["list"];
  endSession: Auth["sessions"]["end"];
  endOtherSessions: Auth["sessions"]["endOthers"];
  /** Asks the server's cookie who is signed in. */
  restore(): Promise<Tokens & Pick<Held, "user">>;
}

/** How the server answers a way in. */
interface Entered {
  readonly session?: Omit<Held, "at" | "turn"> & { readonly deviceToken: string };
  readonly next?: Next;
}

/**
 * Loaded when somebody first signs in, up or changes something.
 *
 * @param door handed in and not imported, as in transaction.ts
 */
export function createAccounts(door: Door, { session, devices, key, admin }: AccountsOptions): Accounts {
  const { send, encodeObject, encodePart } = door;
  const pool = admin ? { as: "admin" } : {};
  const cookie = admin ? { cookie: true } : {};
  const deviceKey = `${key}:device`;

  const call = (method: Call["method"], path: string, values?: object): Call => ({
    method,
    path: `auth/${path}`,
    body: values && encodeObject(values, path),
    once: method !== "GET",
  });
  const ask = async <R>(method: Call["method"], path: string, values?: object): Promise<R> =>
    (await send(call(method, path, values))) as R;

  /** Sends what may start a session, and goes on with that. */
  const enter = (path: string, values: object): Promise<Entered> =>
    session.alone(async (grant) => {
      const at = Date.now();
      const answer = (await send({ ...call("POST", path, values), grant })) as Entered;
      if (answer.session) {
        const { deviceToken, ...held } = answer.session;
        await devices.set(deviceKey, deviceToken);
        await session.keep({ ...held, at, turn: 0 });
      }
      return answer;
    });

  const learn = (user: Me): Promise<Me> =>
    session.alone(async (_grant, held) => {
      if (held?.user.id === user.id) await session.keep({ ...held, user });
      return user;
    });

  return {
    signUp: async (values) => stepOf(await enter("sign-up", { ...values, ...pool, ...cookie })),
    async signIn(values) {
      const deviceToken = (await devices.get(deviceKey)) ?? undefined;
      const signIn = (): Promise<Entered> => enter("sign-in", { ...values, ...pool, ...cookie, deviceToken });
      try {
        return stepOf(await signIn());
      } catch (error) {
        // A session that had ended unnoticed is gone now, and no obstacle to a new one.
        if ((error as ApiError).reason !== "session_ended") throw error;
        return stepOf(await signIn());
      }
    },
    async signInAsGuest(values = {}) {
      return (await enter("anonymous", values)).session?.user as Me;
    },
    async finish(next, answer) {
      const values = "code" in answer ? { ...answer, challenge: next?.challenge } : answer;
      const entered = await enter("email/verify", values);
      if (entered.session) return stepOf(entered);
      return { user: session.auth.user && (await learn(await ask("GET", "me"))) };
    },
    async resend(next) {
      return (await ask<{ next: Next }>("POST", "email/resend", next && { challenge: next.challenge })).next;
    },
    update: async (values) => learn(await ask("PATCH", "me", values)),
    deleteAccount: () =>
      session.alone(async (grant) => {
        await send({ ...call("DELETE", "me", { confirm: "delete" }), grant });
        await session.keep(null);
      }),
    async forgotPassword(email) {
      await ask("POST", "password/forgot", { email, ...pool });
    },
    async resetPassword(values) {
      await ask("POST", "password/reset", values);
    },
    async changePassword(values) {
      await enter("password/change", { ...values, ...cookie });
    },
    async changeEmail(email) {
      return (await ask<{ next: Next }>("POST", "email/change", { email })).next;
    },
    async listSessions() {
      return (await ask<{ sessions: SessionInfo[] }>("GET", "sessions")).sessions;
    },
    async endSession(id) {
      await ask("DELETE", `sessions/${encodePart(id, "id")}`);
    },
    async endOtherSessions() {
      await ask("DELETE", "sessions");
    },
    async restore() {
      const tokens = await session.refresh();
      const user = (await send({ ...call("GET", "me"), grant: async () => tokens.accessToken })) as Me;
      return { user, ...tokens };
    },
  };
}

function stepOf({ session, next }: Entered): AuthStep {
  return session ? { user: session.user } : { next: next as Next };
}
