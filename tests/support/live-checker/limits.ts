import type { LiveLimits } from "../../../server/realtime/sessions/live-limits.ts";
import type { LoadLimits } from "../../../server/transport/load.ts";

/** Of a checked Galley: its clients ask more than people do, and are too slow sooner. */
export const CHECKED_LIMITS: Partial<LiveLimits> = {
  ...{ questionBurst: 1000, questionsPerSecond: 1000, othersPerSecond: 1000 },
  unsentBytes: 512 * 1024,
};

/** Those who do as they are told come back soon; who was too slow has time to read that it was closed. */
export const CHECKED_LOAD: Partial<LoadLimits> = { byeSpreadMs: 500, socketCloseMs: 60_000 };
