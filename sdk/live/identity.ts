import type { ApiError } from "../error.ts";
import type { Grant, Http } from "../http.ts";
import type { ServerFrame } from "../protocol/frames.ts";
import type { Auth } from "../types/auth.ts";

/** Milliseconds, about, until a token is asked for again that could not be had. */
const AGAIN = 3000;

export interface IdentityOptions {
  readonly claim: Http["claim"];
  readonly auth: Pick<Auth, "onChange">;
  readonly ApiError: typeof ApiError;
  readonly send: (frame: string) => void;
  /** Whether the server knows who is there, on this connection. */
  readonly isWelcome: () => boolean;
  /** Someone else is there now, or nobody. */
  readonly changed: () => void;
}

/** Who the connection speaks for (sdk.md 6.5): a token that is renewed in time, and another user in place of the last one. */
export interface Identity {
  /** The token to begin with, on a new connection; undefined for nobody. `refused`: the last one was. */
  token(refused: boolean): Promise<string | undefined>;
  /** @returns whether the server knows by now who is there; else it is told, and says `welcome` again */
  welcome(frame: Extract<ServerFrame<never>, { readonly t: "welcome" }>): boolean;
  /** The connection has gone. */
  lost(): void;
  close(): void;
}

export function createIdentity({ claim, auth, ApiError, send, isWelcome, changed }: IdentityOptions): Identity {
  let renewal: ReturnType<typeof setTimeout> | undefined;
  let grant = claim();
  let token: string | undefined;
  /** How often the server was told who is there, and has not answered: it answers each. */
  let asked = 0;
  /** Whether the last time told who is there now. */
  let isTold = false;

  const stop = auth.onChange((_user, why) => {
    if (why === "changed") return;
    grant = claim();
    clearTimeout(renewal);
    isTold = false;
    changed();
    // Else its answer comes to it.
    if (asked === 0) void introduce();
  });

  /** Has a newer token fetched than the one that the server knows. */
  function outdated(): Parameters<Grant>[0] {
    const error = new ApiError("unauthenticated", "the token was refused", { details: { reason: "token_invalid" } });
    return token ? { token, error } : undefined;
  }

  /** Before the token ends by the server's clock, whatever this device's says. Whoever fails goes on with the old one. */
  async function renew(): Promise<void> {
    const mine = grant;
    const next = await mine(outdated()).catch(() => undefined);
    if (mine !== grant || !isWelcome()) return;
    if (next) tell(next);
    else renewal = setTimeout(renew, AGAIN * (0.5 + Math.random()));
    token = next ?? token;
  }

  /** Tells who is there now. */
  async function introduce(): Promise<void> {
    const mine = grant;
    const next = await mine().catch(() => undefined);
    if (mine !== grant) return;
    token = next;
    isTold = true;
    tell(next ?? null);
  }

  function tell(token: string | null): void {
    asked++;
    send(JSON.stringify({ t: "auth", token }));
  }

  return {
    async token(refused) {
      // A grant speaks for one user; who is signed in by now is told by a new one.
      grant = claim();
      asked = 1;
      isTold = true;
      token = await grant(refused ? outdated() : undefined);
      return token;
    },
    welcome({ expires, now }) {
      clearTimeout(renewal);
      if (expires) renewal = setTimeout(renew, (Date.parse(expires) - Date.parse(now)) * 0.8);
      if (--asked === 0 && !isTold) void introduce();
      return asked === 0 && isTold;
    },
    lost: () => clearTimeout(renewal),
    close() {
      stop();
      clearTimeout(renewal);
    },
  };
}
