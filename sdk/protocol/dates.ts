/** The first and the last instant of the language, in epoch milliseconds; query-language.md 1.2. */
export const DATE_MIN = Date.UTC(2000, 0, 1) - 63_082_281_600_000; // 0001-01-01T00:00:00.000Z
export const DATE_MAX = Date.UTC(9999, 11, 31, 23, 59, 59, 999);

// A document that was just made bears the same instant twice.
let lastTime = Number.NaN;
let lastText = "";

/** As `toISOString`. */
export function isoOf(date: Date): string {
  const time = date.getTime();
  if (time !== lastTime) {
    lastText = date.toISOString();
    lastTime = time;
  }
  return lastText;
}

const ISO = /^(\d{4})-(\d\d)-(\d\d)T(\d\d):(\d\d)(?::(\d\d)(?:\.(\d{1,3}))?)?(?:Z|([+-])(\d\d)(?::?(\d\d))?)$/;

/**
 * Reads the operand of a `$date`: ISO 8601 text with an offset and up to three fraction digits, or epoch milliseconds
 * as an integer. Undefined for anything else, for a day that no calendar has, and outside years 1 to 9999.
 */
export function parseDate(operand: unknown): Date | undefined {
  if (typeof operand === "string") {
    // Most dates come in the form that we write, and JavaScript itself reads those that are surely on the calendar.
    if (COMMON.test(operand)) return new Date(operand);
    return within(parseIso(operand));
  }
  return Number.isInteger(operand) ? within(operand as number) : undefined;
}

/** What `toISOString` writes, of the days that every month has. */
const COMMON = /^[1-9]\d{3}-(?:0[1-9]|1[0-2])-(?:0[1-9]|1\d|2[0-8])T(?:[01]\d|2[0-3]):[0-5]\d:[0-5]\d\.\d{3}Z$/;

function within(time: number): Date | undefined {
  return time >= DATE_MIN && time <= DATE_MAX ? new Date(time) : undefined;
}

function parseIso(text: string): number {
  const match = ISO.exec(text);
  if (!match) return NaN;
  const [year, month, day, hour, minute, second] = [1, 2, 3, 4, 5, 6].map((i) => Number(match[i] ?? 0)) as [
    number,
    number,
    number,
    number,
    number,
    number,
  ];
  if (month < 1 || month > 12 || day < 1 || day > daysIn(year, month)) return NaN;
  if (hour > 23 || minute > 59 || second > 59) return NaN;
  const offsetHours = Number(match[9] ?? 0);
  const offsetMinutes = Number(match[10] ?? 0);
  if (offsetHours > 23 || offsetMinutes > 59) return NaN;
  const offset = (offsetHours * 60 + offsetMinutes) * (match[8] === "-" ? -1 : 1);
  // Date.UTC reads years below 100 as 1900 and later, so the year is set afterwards. 2000 has every day of any year.
  const date = new Date(Date.UTC(2000, month - 1, day, hour, minute, second, Number((match[7] ?? "0").padEnd(3, "0"))));
  date.setUTCFullYear(year, month - 1, day);
  return date.getTime() - offset * 60_000;
}

function daysIn(year: number, month: number): number {
  if (month === 2) return (year % 4 === 0 && year % 100 !== 0) || year % 400 === 0 ? 29 : 28;
  return month === 4 || month === 6 || month === 9 || month === 11 ? 30 : 31;
}
