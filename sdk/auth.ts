import type { Accounts } from "./accounts.ts";
import type { OwnAuth } from "./session.ts";
import type { Auth } from "./types/auth.ts";

/** `db.auth`: the session, and what is loaded when somebody first signs in or changes something. */
export function createAuth(auth: OwnAuth, load: () => Promise<Accounts>): Auth {
  const later = <N extends keyof Accounts>(name: N): Accounts[N] => {
    const run = async (...values: unknown[]): Promise<unknown> =>
      ((await load())[name] as (...values: unknown[]) => unknown)(...values);
    return run as Accounts[N];
  };
  return Object.assign(auth, {
    signUp: later("signUp"),
    signIn: later("signIn"),
    signInAsGuest: later("signInAsGuest"),
    finish: later("finish"),
    resend: later("resend"),
    update: later("update"),
    deleteAccount: later("deleteAccount"),
    forgotPassword: later("forgotPassword"),
    resetPassword: later("resetPassword"),
    changePassword: later("changePassword"),
    changeEmail: later("changeEmail"),
    sessions: {
      list: later("listSessions"),
      end: later("endSession"),
      endOthers: later("endOtherSessions"),
    },
  });
}
