import { GalleyError } from "#protocol/errors";
import type { Position } from "../../stores/document-store.ts";
import type { BoundQuestion, WindowState } from "../contract.ts";
import { currentText, listText, valueText } from "./server-frames.ts";
import type { Subscription } from "./subscription.ts";

type Asked = Pick<Subscription, "s" | "have" | "reset">;

/**
 * The frame that tells a subscription that what its client holds is the whole result; undefined if it is not.
 *
 * @param window as the socket names it
 * @param position that the socket reaches by it
 */
export function currentFrame(
  { s, have }: Asked,
  window: string,
  question: BoundQuestion,
  state: WindowState,
  position: Position,
): string | undefined {
  if (!have || question.kind !== "list" || have.shape !== question.shape) return undefined;
  if (state.kind !== "list" || have.hash !== state.hash()) return undefined;
  return currentText({ s, window, position, reset: undefined }, question.shape, state);
}

/**
 * The frame that tells a subscription the whole result.
 *
 * @param window as the socket names it
 * @param position that the socket reaches by it
 * @throws GalleyError `payload_too_large`
 */
export function resultFrame(
  { s, have, reset }: Asked,
  window: string,
  question: BoundQuestion,
  state: WindowState,
  position: Position,
  mostBytes: number,
): string {
  const told = { s, window, position, reset: reset ?? (have && ("resume" as const)) };
  const shape = question.kind === "list" ? question.shape : "";
  const text = state.kind === "list" ? listText(told, shape, state) : valueText(told, state);
  demandSize(text, mostBytes);
  return text;
}

function demandSize(text: string, most: number): void {
  // A UTF-16 unit is at most three bytes.
  if (text.length * 3 <= most || Buffer.byteLength(text) <= most) return;
  const message = `the result is larger than ${most} bytes: lower the limit, or select fewer fields`;
  throw new GalleyError("payload_too_large", message);
}
