/** The first and the last instant of the language, in epoch milliseconds; query-language.md 1.2. */
export const DATE_MIN = Date.UTC(2000, 0, 1) - 63_082_281_600_000; // 0001-01-01T00:00:00.000Z
export const DATE_MAX = Date.UTC(9999, 11, 31, 23, 59, 59, 999);

/** Days from 0000-03-01 to 1970-01-01. Years that begin in March end with their leap day. */
const EPOCH_DAY = 719_468;
const DAY = 86_400_000;

// A document that was just made bears the same instant twice.
let lastTime = Number.NaN;
let lastText = "";

/** As `toISOString`, which takes six times as long. */
export function isoOf(date: Date): string {
  const time = date.getTime();
  if (time !== lastTime) {
    lastText = time >= DATE_MIN && time <= DATE_MAX ? isoText(time) : date.toISOString();
    lastTime = time;
  }
  return lastText;
}

/** The calendar as in "chrono-compatible low-level date algorithms" by Howard Hinnant: 400 years have 146,097 days. */
function isoText(time: number): string {
  const day = Math.floor(time / DAY);
  const ms = time - day * DAY;
  const shifted = day + EPOCH_DAY;
  const era = Math.floor(shifted / 146_097);
  const dayOfEra = shifted - era * 146_097;
  const yearOfEra = div(dayOfEra - div(dayOfEra, 1460) + div(dayOfEra, 36_524) - div(dayOfEra, 146_096), 365);
  const dayOfYear = dayOfEra - (365 * yearOfEra + div(yearOfEra, 4) - div(yearOfEra, 100));
  const fromMarch = div(5 * dayOfYear + 2, 153);
  const dayOfMonth = dayOfYear - div(153 * fromMarch + 2, 5) + 1;
  const month = fromMarch < 10 ? fromMarch + 3 : fromMarch - 9;
  const year = yearOfEra + era * 400 + (month <= 2 ? 1 : 0);
  const second = div(ms, 1000);
  // Made by one call, the text is one flat piece. 45 is "-", 58 ":", 46 "."; 84 and 90 are "T" and "Z".
  return String.fromCharCode(
    digit(div(year, 1000)),
    digit(div(year, 100)),
    digit(div(year, 10)),
    digit(year),
    45,
    digit(div(month, 10)),
    digit(month),
    45,
    digit(div(dayOfMonth, 10)),
    digit(dayOfMonth),
    84,
    digit(div(second, 36_000)),
    digit(div(second, 3600)),
    58,
    digit(div(second, 600) % 6),
    digit(div(second, 60)),
    58,
    digit(div(second, 10) % 6),
    digit(second),
    46,
    digit(div(ms, 100)),
    digit(div(ms, 10)),
    digit(ms),
    90,
  );
}

/** Reads what {@link isoOf} wrote; anything else gives some other date. `new Date(text)` takes twice as long. */
export function readIso(text: string): Date {
  let year = two(text, 0) * 100 + two(text, 2);
  let month = two(text, 5);
  if (month <= 2) {
    year -= 1;
    month += 12;
  }
  const leapDays = Math.floor(year / 4) - Math.floor(year / 100) + Math.floor(year / 400);
  const day = 365 * year + leapDays + div(153 * (month - 3) + 2, 5) + two(text, 8) - 1 - EPOCH_DAY;
  const seconds = two(text, 11) * 3600 + two(text, 14) * 60 + two(text, 17);
  return new Date(day * DAY + seconds * 1000 + two(text, 20) * 10 + text.charCodeAt(22) - 48);
}

/** The number that two digits write. */
function two(text: string, at: number): number {
  return text.charCodeAt(at) * 10 + text.charCodeAt(at + 1) - 528;
}

/** The character code of a number's last digit. */
function digit(number: number): number {
  return 48 + (number % 10);
}

/** Division without remainder, within 31 bits. */
function div(number: number, by: number): number {
  return (number / by) | 0;
}

const ISO = /^(\d{4})-(\d\d)-(\d\d)T(\d\d):(\d\d)(?::(\d\d)(?:\.(\d{1,3}))?)?(?:Z|([+-])(\d\d)(?::?(\d\d))?)$/;

/**
 * Reads the operand of a `$date`: ISO 8601 text with an offset and up to three fraction digits, or epoch milliseconds
 * as an integer. Undefined for anything else, for a day that no calendar has, and outside years 1 to 9999.
 */
export function parseDate(operand: unknown): Date | undefined {
  if (typeof operand === "string") {
    // Most dates come in the form that we write, on a day that the calendar surely has.
    if (COMMON.test(operand)) return readIso(operand);
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
