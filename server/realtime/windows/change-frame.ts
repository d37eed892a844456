import type { Position } from "../../stores/document-store.ts";
import type { Change } from "../contract.ts";
import { textFrame } from "../text-frame.ts";

/** A change of one window: its text, made once for all who watch, and its frame, made for the first who shows nothing else. */
export class WindowChange implements Change {
  readonly position: Position;
  readonly member: string;
  #frame: Buffer | undefined;

  constructor(position: Position, member: string) {
    this.position = position;
    this.member = member;
  }

  get frame(): Buffer {
    this.#frame ??= textFrame(`{"t":"commit","pos":${JSON.stringify(this.position)},"w":{${this.member}}}`);
    return this.#frame;
  }
}

/** The same change of a window that a socket calls something else. */
export function renamed({ position, member }: Change, window: string, name: string): Change {
  return new WindowChange(position, `"${name}"${member.slice(window.length + 2)}`);
}

/** What is said of a list; what is absent stays as it was. */
export interface ListDelta {
  readonly prev: Position;
  readonly rm: readonly string[];
  /** The texts at their final indexes, rising. */
  readonly up: readonly (readonly [index: number, text: string])[];
  readonly more?: boolean;
  readonly short?: boolean;
}

export function listMember(window: string, { prev, rm, up, more, short }: ListDelta): string {
  let text = `"${window}":{"prev":${JSON.stringify(prev)}`;
  if (rm.length > 0) text += `,"rm":${JSON.stringify(rm)}`;
  if (up.length > 0) text += `,"up":[${up.map(([index, document]) => `[${index},${document}]`).join(",")}]`;
  if (more !== undefined) text += `,"more":${more}`;
  if (short !== undefined) text += `,"short":${short}`;
  return `${text}}`;
}

export function valueMember(window: string, text: string, at: Position): string {
  return `"${window}":{"value":${text},"at":${JSON.stringify(at)}}`;
}
