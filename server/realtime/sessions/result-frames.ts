import { resultHash } from "#protocol/delta";
import { GalleyError } from "#protocol/errors";
import type { Position } from "../../stores/document-store.ts";
import type { BoundQuestion, WindowState } from "../contract.ts";
import { currentText, listText, valueText } from "./server-frames.ts";
import type { Subscription } from "./subscription.ts";

/** How a result was told. */
export type ResultKind = "resumed" | "not_resumed" | "snapshots";

/**
 * The frame that tells a subscription the whole result, or that the client's own is it, if it is.
 *
 * @param position that the socket reaches by it
 * @throws GalleyError `payload_too_large`
 */
export function resultFrame(
  { s, have, reset }: Pick<Subscription, "s" | "have" | "reset">,
  window: string,
  question: BoundQuestion,
  state: WindowState,
  position: Position,
  mostBytes: number,
): { readonly kind: ResultKind; readonly text: string } {
  const told = { s, window, position, reset: reset ?? (have && ("resume" as const)) };
  const shape = question.kind === "list" ? question.shape : "";
  if (state.kind === "list" && have && have.shape === shape && have.hash === resultHash(state.ids)) {
    return { kind: "resumed", text: currentText(told, shape, state) };
  }
  const text = state.kind === "list" ? listText(told, shape, state) : valueText(told, state);
  demandSize(text, mostBytes);
  return { kind: have ? "not_resumed" : "snapshots", text };
}

function demandSize(text: string, most: number): void {
  // A UTF-16 unit is at most three bytes.
  if (text.length * 3 <= most || Buffer.byteLength(text) <= most) return;
  const message = `the result is larger than ${most} bytes: lower the limit, or select fewer fields`;
  throw new GalleyError("payload_too_large", message);
}
