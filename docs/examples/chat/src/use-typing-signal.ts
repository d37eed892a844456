import { useEffect, useMemo } from "react";
import { typing } from "./db.ts";

/** Milliseconds between two signs of life; readers wait a little longer for the next one (use-typists.ts). */
const EVERY = 2000;

/**
 * Tells others that somebody types: by a document of their own in the room, written every two seconds while they do, and
 * deleted when they are done. A sign that gets lost matters to nobody, so failures are nothing to show.
 */
export function useTypingSignal(room: string, me: string) {
  const signal = useMemo(() => {
    const id = `${room}:${me}`;
    let last = 0;
    return {
      typed() {
        if (Date.now() - last < EVERY) return;
        last = Date.now();
        typing.set(id, { room, user: me, at: new Date() }).catch(() => {});
      },
      done() {
        if (last === 0) return;
        last = 0;
        typing.delete(id).catch(() => {});
      },
    };
  }, [room, me]);
  useEffect(() => signal.done, [signal]);
  return signal;
}
