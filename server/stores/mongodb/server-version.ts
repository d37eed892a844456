import type { Db } from "mongodb";

/**
 * The oldest patch of each line that gives no memory away before sign-in (through zlib compression); lines without one are
 * not maintained any more (promises.md "Version floors").
 */
const SOUND: Readonly<Record<string, number>> = { "7.0": 32, "8.0": 21 };
const NEWEST_LINE = [8, 0] as const;

/** What to do about a version of MongoDB that Galley runs on but nobody should; undefined if there is nothing. */
export function versionAdvice(version: string): string | undefined {
  const [major = 0, minor = 0, patch = 0] = version.split(".").map(Number);
  const floor = SOUND[`${major}.${minor}`];
  const newer = major > NEWEST_LINE[0] || (major === NEWEST_LINE[0] && minor > NEWEST_LINE[1]);
  if (newer || (floor !== undefined && patch >= floor)) return undefined;
  return (
    `MongoDB ${version} has a known hole or is not maintained: upgrade to 7.0.32, 8.0.21 or newer; until then run it with ` +
    "`--networkMessageCompressors snappy,zstd`, where no client can reach it"
  );
}

export async function readVersion(db: Db): Promise<string> {
  const { version } = await db.command({ buildInfo: 1 });
  return String(version);
}
