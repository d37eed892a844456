import { Timestamp } from "mongodb";
import type { Position } from "../document-store.ts";

/**
 * Positions are cluster times, the order that MongoDB itself gives to everything it commits:
 * `<history>.<seconds in 8 hex digits><increment in 8 hex digits>`. A commit's position is the `operationTime` of its
 * reply, which is the `clusterTime` of its change event.
 */
export function positionOf(history: string, time: Timestamp): Position {
  return `${history}.${digits(time.t)}${digits(time.i)}` as Position;
}

/** The cluster time of a position that has the form of one. */
export function timeOf(position: Position): Timestamp {
  const place = position.slice(position.lastIndexOf(".") + 1);
  return new Timestamp({ t: Number.parseInt(place.slice(0, 8), 16), i: Number.parseInt(place.slice(8), 16) });
}

/** Whether `a` comes after `b`; undefined is before all. */
export function isAfter(a: Timestamp, b: Timestamp | undefined): boolean {
  return b === undefined || a.t > b.t || (a.t === b.t && a.i > b.i);
}

function digits(part: number): string {
  return part.toString(16).padStart(8, "0");
}
