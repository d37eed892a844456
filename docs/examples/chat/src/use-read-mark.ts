import { useDocument } from "@galley/sdk/react";
import { useEffect, useSyncExternalStore } from "react";
import { reads } from "./db.ts";

/**
 * Moves somebody's read mark of a room up to the newest message of others, while they look at it.
 *
 * @param newest its time by the server's clock; undefined: there is none
 */
export function useReadMark(room: string, me: string, newest: Date | undefined): void {
  const { data: marks, synced } = useDocument(reads, me);
  const isLooking = useSyncExternalStore(subscribe, () => document.visibilityState === "visible");
  const mark = marks?.rooms[room];
  const time = newest?.getTime();
  // Not while a mark is on its way, or the server out of reach.
  const isBehind = synced && time !== undefined && !(mark && mark.getTime() >= time);
  useEffect(() => {
    if (!isBehind || !isLooking) return;
    // $max, for another device may have read further. A mark that is lost on the way is set again when the result is in step.
    reads.update(me, { $max: { [`rooms.${room}`]: new Date(time) } }, { upsert: true }).catch(() => {});
  }, [room, me, time, isBehind, isLooking]);
}

function subscribe(tell: () => void) {
  document.addEventListener("visibilitychange", tell);
  return () => document.removeEventListener("visibilitychange", tell);
}
