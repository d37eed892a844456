/**
 * No ceiling, but what stands behind one: a server that tells a page, which it hands out with the SDK, of as many commits a
 * second as it is asked for, each of which changes a document in every list that is watched.
 */
import { readFileSync } from "node:fs";
import { createServer } from "node:http";
import { type WebSocket, WebSocketServer } from "ws";
import { tellAddress } from "./tell-address.ts";

const { BENCH_SDK = "", BENCH_PAGE = "" } = process.env;
const COMMITS = Number(process.env.BENCH_COMMITS_A_SECOND);
const SECONDS = Number(process.env.BENCH_SECONDS);
const LISTS = Number(process.env.BENCH_LISTS);
const ROWS = Number(process.env.BENCH_ROWS);
/** Milliseconds between two bursts: what a network hands on at once. */
const BURST = 4;
const FILLER = "x".repeat(200);

const server = createServer((request, reply) => {
  const isScript = request.url === "/galley.js";
  reply.setHeader("content-type", isScript ? "text/javascript; charset=utf-8" : "text/html; charset=utf-8");
  reply.end(readFileSync(isScript ? BENCH_SDK : BENCH_PAGE));
});

const position = (n: number) => `h.${n.toString(16).padStart(16, "0")}`;
const at = { $date: "2026-01-01T00:00:00.000Z" };
const row = (list: number, rank: number, version: number) => ({
  ...{ _id: `list-${list}-row-${rank}`, _v: version, _createdAt: at, _updatedAt: at },
  ...{ list, rank, version, text: FILLER },
});

const live = new WebSocketServer({ server, perMessageDeflate: false });
live.on("connection", (ws) => {
  const send = (frame: object) => ws.send(JSON.stringify(frame));
  let lists = 0;
  ws.on("message", (text) => {
    const frame = JSON.parse(String(text)) as { t: string; s: number };
    if (frame.t === "hello") send({ t: "welcome", pos: position(1), user: null, beat: 25, now: at.$date });
    if (frame.t !== "sub") return;
    const rows = Array.from({ length: ROWS }, (_, rank) => row(frame.s, rank, 1));
    send({ t: "snapshot", s: frame.s, w: `w${frame.s}`, pos: position(1), shape: "x", rows, more: false });
    if (++lists === LISTS) setTimeout(pour, 500, ws);
  });
});

/** The nth commit: a document of each list has another version. */
function commit(n: number): string {
  const rank = n % ROWS;
  const version = 2 + Math.floor(n / ROWS);
  const prev = position(1 + n);
  const lists = Array.from({ length: LISTS }, (_, i) => [
    `w${i + 1}`,
    { prev, up: [[rank, row(i + 1, rank, version)]] },
  ]);
  return JSON.stringify({ t: "commit", pos: position(2 + n), w: Object.fromEntries(lists) });
}

/** Tells what is due, one commit after the other. */
function pour(ws: WebSocket): void {
  const began = performance.now();
  const all = COMMITS * SECONDS;
  let told = 0;
  const timer = setInterval(() => {
    const due = Math.min(all, Math.floor(((performance.now() - began) / 1000) * COMMITS));
    for (; told < due; told++) ws.send(commit(told));
    if (told === all || ws.readyState !== ws.OPEN) clearInterval(timer);
  }, BURST);
}
server.listen(0, "127.0.0.1", () => tellAddress(server));
