import type { GalleyError } from "#protocol/errors";
import type { Reset } from "#protocol/frames";
import type { Position } from "../../stores/document-store.ts";
import type { Change, ListState, WindowState } from "../contract.ts";
import { type Identified, toldUser } from "./identity.ts";

/** What the server says, as JSON text: live-queries.md 7. Documents are texts that windows have made already. */

/** @param beat seconds between two beats; `now` is epoch milliseconds */
export function welcomeText({ principal, expiresAt }: Identified, pos: Position, beat: number, now: number): string {
  const expires = expiresAt === undefined ? {} : { expires: new Date(expiresAt).toISOString() };
  const user = toldUser(principal);
  return JSON.stringify({ t: "welcome", pos, user, ...expires, beat, now: new Date(now).toISOString() });
}

export function beatText(pos: Position): string {
  return JSON.stringify({ t: "beat", pos });
}

export function byeText(pos: Position, retry: number): string {
  return JSON.stringify({ t: "bye", pos, retry });
}

/** @param s the subscription that it ends; undefined: it answers a frame */
export function errorText({ code, message, details }: GalleyError, s: number | undefined, requestId: string): string {
  const told = Object.keys(details).length === 0 ? {} : { details };
  return JSON.stringify({ t: "error", ...(s !== undefined && { s }), error: { code, message, ...told, requestId } });
}

/** The result of a subscription, and what a window is called that changes it. */
export interface Told {
  readonly s: number;
  readonly window: string;
  readonly position: Position;
  readonly reset: Reset | undefined;
}

type Ending = Pick<ListState, "more" | "short">;

export function listText(told: Told, shape: string, state: ListState): string {
  const rows = `"shape":${JSON.stringify(shape)},"rows":[${state.rows.join(",")}]`;
  return `${headOf("snapshot", told)},${rows}${endOf(state)}${resetOf(told)}}`;
}

export function valueText(told: Told, { text, position }: Extract<WindowState, { kind: "value" }>): string {
  return `${headOf("value", told)},"value":${text},"at":${JSON.stringify(position)}${resetOf(told)}}`;
}

export function currentText(told: Told, shape: string, state: Ending): string {
  return `${headOf("current", told)},"shape":${JSON.stringify(shape)}${endOf(state)}}`;
}

/** One commit for all windows that it changed: the frame that is there already, where it is one. */
export function commitFrame(position: Position, first: Change, others: readonly Change[] = NONE): Buffer | string {
  if (others.length === 0 && first.position === position) return first.frame;
  const members = [first, ...others].map(({ member }) => member).join(",");
  return `{"t":"commit","pos":${JSON.stringify(position)},"w":{${members}}}`;
}

const NONE: readonly Change[] = [];

function headOf(t: string, { s, window, position }: Told): string {
  return `{"t":"${t}","s":${s},"w":${JSON.stringify(window)},"pos":${JSON.stringify(position)}`;
}

/** What is behind the rows, and whether all of them are there. */
function endOf({ more, short }: Ending): string {
  return `,"more":${more}${short ? ',"short":true' : ""}`;
}

function resetOf({ reset }: Told): string {
  return reset === undefined ? "" : `,"reset":"${reset}"`;
}
