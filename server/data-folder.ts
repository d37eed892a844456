import { randomBytes } from "node:crypto";
import {
  chmodSync,
  closeSync,
  existsSync,
  fsyncSync,
  mkdirSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { dirname, join } from "node:path";
import { ConfigError } from "./config.ts";

const SECRET_FILE = "secret";
const SERVER_FILE = "server.json";

/** Where commands find the server that runs on this data folder; configuration.md. */
export interface ServerFile {
  readonly url: string;
  readonly key: string;
  readonly pid: number;
}

/**
 * Makes the data folder if it is missing, for its owner's eyes only.
 * @throws ConfigError if it cannot be made
 */
export function prepareDataFolder(folder: string): void {
  try {
    makeFolder(folder);
  } catch (error) {
    throw new ConfigError([`GALLEY_DATA_DIR: the folder cannot be made: ${(error as Error).message}`]);
  }
}

/** Not by mkdir's `recursive`, which tries for ever where a folder exists that takes no new ones (Node 20, `/proc`). */
function makeFolder(folder: string): void {
  if (isFolder(folder)) return;
  const above = dirname(folder);
  if (!existsSync(above)) makeFolder(above);
  try {
    mkdirSync(folder, { mode: 0o700 });
  } catch (error) {
    if (isFolder(folder)) return; // another process was faster
    throw error;
  }
  syncFolder(above);
}

function isFolder(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isDirectory() === true;
}

/** Else a power cut could take the new folder with all that was acknowledged in it. */
function syncFolder(folder: string): void {
  try {
    const handle = openSync(folder, "r");
    fsyncSync(handle);
    closeSync(handle);
  } catch {
    // Not every system opens folders, and not every user may: then it is theirs to keep it.
  }
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
