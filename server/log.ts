import { type DestinationStream, pino } from "pino";
import type { Config } from "./config.ts";

/** What the parts of Galley log through: members of the event first, then one sentence. */
export interface Log {
  debug(event: object, message: string): void;
  info(event: object, message: string): void;
  warn(event: object, message: string): void;
  error(event: object, message: string): void;
}

/** Members that never reach a log, whoever logs an object that has them. */
const SECRET_MEMBERS = ["authorization", "cookie", "token", "key", "secret", "password", "code"];

/**
 * The process's log: one line an event. Terminals get short readable lines, everything else JSON. Text that came from
 * outside can neither break a line nor colour a terminal: JSON escapes it, and so does the readable form.
 */
export async function createLog(
  config: Pick<Config, "logLevel" | "logFormat">,
  destination?: DestinationStream,
): Promise<Log> {
  const options = {
    level: config.logLevel,
    base: null,
    timestamp: pino.stdTimeFunctions.isoTime,
    redact: { paths: SECRET_MEMBERS.flatMap((name) => [name, `*.${name}`]), censor: "[redacted]" },
  };
  const out = destination ?? pino.destination({ fd: 1, sync: true });
  if (config.logFormat === "json") {
    const log: Log = pino({ ...options, hooks: { streamWrite: escapeControls } }, out);
    return log;
  }
  // Loaded only here: a server that logs JSON never pays for it.
  const { prettyFactory } = await import("pino-pretty");
  const readable = prettyFactory({
    colorize: destination === undefined,
    singleLine: true,
    translateTime: "SYS:HH:MM:ss",
    // An error is a member like others: it would take lines of its own, and its text could look like another event.
    errorLikeObjectKeys: [],
  });
  const log: Log = pino(options, { write: (line: string) => out.write(readable(controlsAsText(line))) });
  return log;
}

/** What JSON leaves as it is in its strings, though some terminals obey C1, and some readers end a line at a separator. */
const UNESCAPED = /[\x7f-\x9f\u2028\u2029]/g;

function escapeControls(line: string): string {
  return line.replace(UNESCAPED, escapeOf);
}

/** A line of JSON whose strings hold no control character any more, but the escapes of those as text. */
function controlsAsText(line: string): string {
  return line
    .replace(/\\(.)/g, (pair, what: string) => (/["\\/]/.test(what) ? pair : `\\${pair}`))
    .replace(UNESCAPED, (character) => `\\${escapeOf(character)}`);
}

function escapeOf(character: string): string {
  return `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`;
}
