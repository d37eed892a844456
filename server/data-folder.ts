import { randomBytes } from "node:crypto";
import { chmodSync, mkdirSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { ConfigError } from "./config.ts";

const SECRET_FILE = "secret";
const SERVER_FILE = "server.json";

/** Where commands find the server that runs on this data folder; configuration.md. */
export interface ServerFile {
  readonly url: string;
  readonly key: string;
  readonly pid: number;
}

/** Makes the data folder if it is missing, for its owner's eyes only. */
export function prepareDataFolder(folder: string): void {
  mkdirSync(folder, { recursive: true, mode: 0o700 });
}

/**
 * The secret that signs tokens and cursors, made once and kept in the folder.
 * @throws ConfigError if others may read it, or if it was cut short
 */
export function keptSecret(folder: string): string {
  const file = join(folder, SECRET_FILE);
  try {
    // "wx": of two processes that start at once, one makes it and both read it.
    writeFileSync(file, `${randomBytes(32).toString("base64url")}\n`, { flag: "wx", mode: 0o600 });
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw error;
  }
  if ((statSync(file).mode & 0o077) !== 0) {
    throw new ConfigError([`GALLEY_SECRET: others can read ${file}; run \`chmod 600\` on it`]);
  }
  const secret = readFileSync(file, "utf8").trim();
  if (Buffer.byteLength(secret) < 32)
    throw new ConfigError([`GALLEY_SECRET: ${file} holds less than 32 bytes; delete it`]);
  return secret;
}

/** Tells commands where this server is. Written whole or not at all. */
export function writeServerFile(folder: string, server: ServerFile): void {
  const file = join(folder, SERVER_FILE);
  const draft = `${file}.${server.pid}`;
  writeFileSync(draft, `${JSON.stringify(server)}\n`, { mode: 0o600 });
  chmodSync(draft, 0o600);
  renameSync(draft, file);
}

export function removeServerFile(folder: string): void {
  rmSync(join(folder, SERVER_FILE), { force: true });
}
