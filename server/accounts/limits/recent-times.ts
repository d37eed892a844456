import type { GalleyError } from "#protocol/errors";
import type { DocumentStore, Row, Write } from "../../stores/document-store.ts";
import { fresh, putRecord, removeRecord, type Stored, storedOf } from "../record.ts";
import { LIMITS_RECORDS, type LimitParts, limitId, oneByOne } from "./limit-records.ts";
import type { Rate } from "./rate-table.ts";

/** When something happened of late, oldest first. */
interface TimesRecord extends Stored {
  readonly times: readonly Date[];
}

/** Things of which an account may have so many in a while, counted to the moment. */
export interface RecentTimes {
  /** Counts one. @throws GalleyError as the option says; `unavailable` */
  take(account: string): Promise<void>;
  /** Writes that store an account's once more as they are: they cost what storing any other record does. */
  touched(account: string): Promise<Write[]>;
  /** Writes that forget an account's. */
  forgotten(account: string): Promise<Write[]>;
}

export interface RecentTimesOptions extends LimitParts {
  /** What is counted; it names the records. */
  readonly what: string;
  /** All of them hold. */
  readonly rates: () => readonly Rate[];
  /** @param milliseconds until one more is allowed */
  readonly refusal: (milliseconds: number) => GalleyError;
}

export function createRecentTimes(options: RecentTimesOptions): RecentTimes {
  const { store, clock, what, rates, refusal } = options;

  const take = oneByOne<undefined, undefined>(options, async (account, tries) => {
    const now = clock();
    const before = await stored(account);
    const times = (before?.times ?? [])
      .map((time) => Math.min(time.getTime(), now))
      .filter((time) => time > now - longest() * 1000);
    const kept = times.length;
    const verdicts = tries.map(() => {
      const wait = Math.max(...rates().map((rate) => waitFor(times, rate, now)));
      if (wait > 0) return refusal(wait);
      times.push(now);
      return undefined;
    });
    if (times.length === kept) return { verdicts, writes: [] };
    const record = before ?? { ...fresh(limitId(what, account), now), times: [] };
    return {
      verdicts,
      writes: [write(store, { ...record, times: times.map((time) => new Date(time)) }, longest(), now)],
    };
  });

  /** Seconds after which none counts any more. */
  function longest(): number {
    return Math.max(...rates().map(({ seconds }) => seconds));
  }

  async function stored(account: string): Promise<TimesRecord | undefined> {
    const [row] = await store.get(LIMITS_RECORDS.name, [limitId(what, account)]);
    return row && read(row);
  }

  return {
    take: (account) => take(account, undefined),
    async touched(account) {
      const record = await stored(account);
      return record ? [write(store, record, longest(), clock())] : [];
    },
    async forgotten(account) {
      const record = await stored(account);
      return record ? [removeRecord(LIMITS_RECORDS.name, record)] : [];
    },
  };
}

/** Milliseconds until the rate allows one more. */
function waitFor(times: readonly number[], { times: most, seconds }: Rate, now: number): number {
  const oldest = times.at(-most);
  return oldest === undefined ? 0 : Math.max(0, oldest + seconds * 1000 - now);
}

function read(row: Row): TimesRecord {
  return { ...storedOf(row), times: row.value.times as readonly Date[] };
}

function write(store: DocumentStore, { times, ...stored }: TimesRecord, seconds: number, now: number): Write {
  return putRecord(store, LIMITS_RECORDS.name, stored, { times, expiresAt: new Date(now + seconds * 1000) }, now);
}
