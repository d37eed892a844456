/** Where in the request's path a sample of a profile was taken. */

import { existsSync, readFileSync } from "node:fs";
import { SourceMap } from "node:module";
import { posix } from "node:path";
import { fileURLToPath } from "node:url";
import { ROOT } from "../../support/own-modules.ts";
import type { CallFrame, CpuProfile, ProfileNode } from "./profiled-galley.ts";

export const STAGES = [
  "parse HTTP and route",
  "identify",
  "authorize",
  "parse the question",
  "documents service",
  "store",
  "store's writer thread",
  "serialise and write",
  "garbage collection",
  "native: sockets, kernel",
  "other",
] as const;

export type Stage = (typeof STAGES)[number];

/**
 * The first that fits a file's path tells the stage. What fits none (the language, Node's streams) works for whoever
 * called it.
 */
const FILES: readonly (readonly [RegExp, Stage])[] = [
  [/^server\/(?:transport\/identify|accounts\/)/, "identify"],
  [/^server\/access\//, "authorize"],
  [/^server\/transport\/(?:parameters|json-body|json-shape|schema|conditions)\./, "parse the question"],
  [/^server\/documents\/(?:requests|literals|nesting|cursors|operation|write-requests)\./, "parse the question"],
  [/^server\/documents\/(?:views|plain|expansion)\./, "serialise and write"],
  [/^server\/transport\/(?:reply|lines)\./, "serialise and write"],
  [/^server\/transport\/routes\//, "documents service"],
  [/^server\/transport\//, "parse HTTP and route"],
  [/^server\/(?:documents|app|opening)/, "documents service"],
  [/^server\/stores\//, "store"],
  [/\bnode_modules\/(?:mongodb|bson|better-sqlite3)/, "store"],
  [/\bnode_modules\/(?:fastify|find-my-way|@fastify|avvio|light-my-request)/, "parse HTTP and route"],
  [/\bnode_modules\/ajv/, "documents service"],
  [/^node:_http_outgoing/, "serialise and write"],
  [/^node:_http_/, "parse HTTP and route"],
];

/** Names that V8 gives to time outside of any function. */
const OUTSIDE: ReadonlyMap<string, Stage | "idle"> = new Map([
  ["(idle)", "idle"],
  ["(program)", "native: sockets, kernel"],
  ["(garbage collector)", "garbage collection"],
]);

export interface StageTime {
  microseconds: number;
  /** Microseconds of each function's own, by `name file`. */
  readonly functions: Map<string, number>;
}

/** A stretch of the monotonic clock, in microseconds. */
export interface Window {
  readonly from: number;
  readonly to: number;
}

/** Sums what each stage took in a window, all threads together. */
export function stageTimes(profiles: readonly CpuProfile[], window: Window): Map<Stage, StageTime> {
  const times = new Map<Stage, StageTime>(STAGES.map((stage) => [stage, { microseconds: 0, functions: new Map() }]));
  const fileOf = createFileFinder();
  for (const profile of profiles) addProfile(profile, window, fileOf, times);
  return times;
}

type FileFinder = (frame: CallFrame) => string;

function addProfile(profile: CpuProfile, { from, to }: Window, fileOf: FileFinder, times: Map<Stage, StageTime>): void {
  const nodes = new Map(profile.nodes.map((node) => [node.id, node]));
  const parents = new Map(
    profile.nodes.flatMap((node) => (node.children ?? []).map((child) => [child, node] as const)),
  );
  const isWriter = profile.nodes.some(({ callFrame }) => fileOf(callFrame).includes("sqlite/writer-thread."));
  const stages = new Map<number, Stage | "idle">();
  const stageOf = (node: ProfileNode): Stage | "idle" => {
    let stage = stages.get(node.id);
    if (stage === undefined) {
      stage = judge(node, parents, fileOf);
      if (isWriter && stage !== "idle") stage = "store's writer thread";
      stages.set(node.id, stage);
    }
    return stage;
  };
  let at = profile.startTime;
  for (const [i, id] of profile.samples.entries()) {
    // A delta is the time since the sample before, which is what that one stood for.
    const delta = profile.timeDeltas[i + 1] ?? 0;
    at += profile.timeDeltas[i] ?? 0;
    const node = nodes.get(id);
    if (at < from || at >= to || node === undefined) continue;
    const stage = stageOf(node);
    if (stage === "idle") continue;
    const time = times.get(stage) as StageTime;
    time.microseconds += delta;
    const name = `${node.callFrame.functionName || "(anonymous)"} ${fileOf(node.callFrame)}`.trim();
    time.functions.set(name, (time.functions.get(name) ?? 0) + delta);
  }
}

/** The stage of the innermost function that belongs to one. */
function judge(node: ProfileNode, parents: ReadonlyMap<number, ProfileNode>, fileOf: FileFinder): Stage | "idle" {
  const outside = OUTSIDE.get(node.callFrame.functionName);
  if (outside !== undefined) return outside;
  for (let at: ProfileNode | undefined = node; at !== undefined; at = parents.get(at.id)) {
    const file = fileOf(at.callFrame);
    const stage = FILES.find(([pattern]) => pattern.test(file))?.[1];
    if (stage !== undefined) return stage;
  }
  return "other";
}

/** Finds the source file of a frame: `server/…`, `sdk/…`, `node_modules/…`, `node:…`, or nothing for V8's own. */
function createFileFinder(): FileFinder {
  const maps = new Map<string, SourceMap>();
  const found = new Map<string, string>();
  function find({ url, lineNumber, columnNumber }: CallFrame): string {
    if (!url.startsWith("file:")) return url;
    const path = fileURLToPath(url);
    const local = path.slice(ROOT.length + 1);
    if (!local.startsWith("server/dist/profile/") || !existsSync(`${path}.map`)) return local;
    let map = maps.get(path);
    if (map === undefined) {
      map = new SourceMap(JSON.parse(readFileSync(`${path}.map`, "utf8")));
      maps.set(path, map);
    }
    const entry = map.findEntry(lineNumber, columnNumber);
    if (!("originalSource" in entry)) return "";
    // A package may lie elsewhere, behind a link.
    return posix.join(posix.dirname(local), entry.originalSource).replace(/^.*(?=\bnode_modules\/)/, "");
  }
  return (frame) => {
    const key = `${frame.url}:${frame.lineNumber}:${frame.columnNumber}`;
    let file = found.get(key);
    if (file === undefined) {
      file = find(frame);
      found.set(key, file);
    }
    return file;
  };
}
