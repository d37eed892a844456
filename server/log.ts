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
  if (config.logFormat === "json") {
    const log: Log = pino(options, destination ?? pino.destination({ fd: 1, sync: true }));
    return log;
  }
  // Loaded only here: a server that logs JSON never pays for it.
  const { default: pretty } = await import("pino-pretty");
  const stream = pretty({
    colorize: destination === undefined,
    singleLine: true,
    translateTime: "SYS:HH:MM:ss",
    messageFormat: (log, key) => escapeControls(String(log[key])),
    ...(destination === undefined ? { sync: true } : { destination }),
  });
  const log: Log = pino(options, stream);
  return log;
}

/** Control characters (C0, DEL, C1) and the two line separators as escapes. */
function escapeControls(text: string): string {
  return text.replace(/[\p{Cc}\u2028\u2029]/gu, (character) => {
    return `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`;
  });
}
