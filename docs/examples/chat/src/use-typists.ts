import { useLive } from "@galley/sdk/react";
import { useEffect, useRef, useState } from "react";
import { typing } from "./db.ts";

/** Milliseconds after the last sign of life. */
const STALE = 5000;

/**
 * Names of those who type in a room. A document counts for five seconds after it changed under our eyes, by this device's
 * own clock: clocks of devices differ, and one that was there before may be left over from a tab that was closed.
 */
export function useTypists(room: string, me: string): string[] {
  const { data } = useLive(typing.find({ room, user: { $ne: me } }, { expand: ["user"], limit: 50 }));
  const versions = useRef<ReadonlyMap<string, number>>(undefined);
  const [until, setUntil] = useState<ReadonlyMap<string, number>>(new Map());

  useEffect(() => {
    if (!data) return;
    const before = versions.current;
    versions.current = new Map(data.map(({ _id, _v }) => [_id, _v]));
    const changed = before ? data.filter(({ _id, _v }) => before.get(_id) !== _v) : [];
    if (changed.length > 0)
      setUntil((known) => new Map([...known, ...changed.map(({ _id }) => [_id, Date.now() + STALE] as const)]));
  }, [data]);

  useEffect(() => {
    if (until.size === 0) return;
    const next = Math.min(...until.values());
    const timer = setTimeout(() => setUntil(new Map([...until].filter(([, time]) => time > next))), next - Date.now());
    return () => clearTimeout(timer);
  }, [until]);

  return (data ?? []).flatMap(({ _id, _expanded }) => (until.has(_id) ? [_expanded.user?.name ?? "Somebody"] : []));
}
