import type { Me } from "./types/auth.ts";

export interface Tokens {
  readonly accessToken: string;
  /** Seconds. */
  readonly expiresIn: number;
  /** Not there where a cookie holds it. */
  readonly refreshToken?: string;
  /** When they were asked for, by the clock of this device: that of the server is of no account. */
  readonly at: number;
}

/** The session as it is kept. */
export interface Held extends Tokens {
  readonly id: string;
  readonly user: Me;
  /** How often its tokens were renewed. */
  readonly turn: number;
}

/** Whose it is; no user has an empty id. */
export function idOf(held: Held | null): string {
  return held?.user.id ?? "";
}

/** Milliseconds that the token still holds; a clock that was set back knows nothing of it. */
export function left({ at, expiresIn }: Held): number {
  const age = Date.now() - at;
  return age < 0 ? 0 : expiresIn * 1000 - age;
}

/** After 80 % of its life. */
export function isDue(held: Held): boolean {
  return left(held) <= held.expiresIn * 200;
}

/** What is kept, if it makes sense. */
export function readHeld(text: unknown): Held | null {
  try {
    const held = JSON.parse(text as string) as Held;
    return held.user.id && held.accessToken ? held : null;
  } catch {
    return null;
  }
}
