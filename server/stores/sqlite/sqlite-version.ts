/** The first release without the WAL-reset bug that could lose synced transactions (sqlite.org/wal.html). */
const OLDEST = [3, 51, 3] as const;

/** What is wrong with a version of SQLite, in one line; undefined if Galley may run on it. */
export function sqliteVersionFault(version: string): string | undefined {
  const parts = /^(\d+)\.(\d+)\.(\d+)/.exec(version)?.slice(1).map(Number);
  if (parts) {
    for (let i = 0; i < OLDEST.length; i++) {
      const difference = (parts[i] as number) - (OLDEST[i] as number);
      if (difference > 0) return undefined;
      if (difference < 0) break;
      if (i === OLDEST.length - 1) return undefined;
    }
  }
  return `SQLite ${version} can lose confirmed writes: Galley needs ${OLDEST.join(".")} or newer (reinstall better-sqlite3 12.11 or newer)`;
}
