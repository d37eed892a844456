/** Frames of a scripted server that has todos. */

import { createClient, type LiveState } from "@galley/sdk";
import type { Test } from "tap";
import { WebSocket as NodeSocket } from "ws";
import type { ClientFrame } from "#protocol/frames";
import { type Connected, startScriptedLive } from "./scripted-live.ts";
import { until } from "./until.ts";

export const WebSocket = NodeSocket as unknown as typeof globalThis.WebSocket;

export interface Todo {
  readonly _id: string;
  readonly _v: number;
  readonly title: string;
}
export type State = LiveState<Todo[]>;

const HISTORY = "h1";
export const pos = (n: number, history = HISTORY) => `${history}.${n.toString(16).padStart(16, "0")}`;
export const todo = (id: string, version = 1): Todo => ({ _id: id, _v: version, title: `${id}${version}` });
export const welcome = (n = 1) => ({
  t: "welcome",
  pos: pos(n),
  user: null,
  beat: 25,
  now: "2026-01-01T00:00:00.000Z",
});
export const snapshot = (s: number, rows: readonly Todo[], n = 1, more: object = {}) => ({
  ...{ t: "snapshot", s, w: `w${s}`, pos: pos(n), shape: "x", rows, more: false },
  ...more,
});
export const subOf = (frame: ClientFrame | undefined) => frame as Extract<ClientFrame, { t: "sub" }>;

/** Answers `hello`, and each `sub` with the rows that there are. */
export function serving(rows: () => readonly Todo[], n: () => number = () => 1) {
  return (frame: ClientFrame, connection: Connected) => {
    if (frame.t === "hello") connection.send(welcome(n()));
    if (frame.t === "sub") connection.send(snapshot(frame.s, rows(), n()));
  };
}

/** A client of such a server, which watches all todos. */
export async function play(t: Test, script: Parameters<typeof startScriptedLive>[1], options: object = {}) {
  const server = await startScriptedLive(t, script);
  const db = createClient<{ todos: { title: string } }>({ url: server.url, WebSocket, ...options });
  t.teardown(() => db.close());
  const states: State[] = [];
  const live = db
    .collection("todos")
    .find({}, { sort: "title" })
    .live((state) => states.push(state as State));
  const last = () => states.at(-1);
  const told = (count: number) => until(() => states.length >= count, 20, `state ${count}`);
  return { server, db, states, live, last, told };
}
