import { mkdir, open, readdir, rename, rm } from "node:fs/promises";
import { join } from "node:path";
import type { Log } from "../../log.ts";
import { MailFailure, type MailTransport, type OutgoingMail } from "./mail-transport.ts";

export interface OutboxOptions {
  /** The data folder's `outbox`; made when there is a mail. */
  readonly folder: string;
  /** Undefined: nobody answers. */
  readonly from: MailTransport["from"] | undefined;
  readonly log: Log;
  /** Links are secrets: only in development mode does the log show them. */
  readonly development: boolean;
}

const NOBODY = { name: "Galley", address: "galley@localhost" };
/** Files that are kept. */
const MOST_FILES = 1000;
const FILE = /^\d{8}T\d{9}Z-[a-z-]+-[a-z0-9]+\.eml$/;

/** Stands in for a mail server where none is configured: writes mails to files that only their owner can read. */
export function createOutbox({ folder, from = NOBODY, log, development }: OutboxOptions): MailTransport {
  return {
    from,

    async send(mail) {
      const file = fileOf(mail);
      try {
        await mkdir(folder, { recursive: false, mode: 0o700 }).catch(unlessThere);
        await writeWhole(join(folder, file), mail.message);
        await syncFolder(folder);
        await removeOldest(folder);
      } catch (error) {
        throw new MailFailure("everything", `the mail cannot be written to a file (${codeOf(error) ?? "?"})`);
      }
      const { kind, link } = mail;
      log.info(
        { file: join(folder, file), kind, ...(development && link !== undefined && { link }) },
        "no mail server is configured: a mail was written to a file",
      );
      return { file };
    },

    close() {},
  };
}

/** Sorts by time, and is the same at each try. */
function fileOf({ id, kind, queuedAt }: OutgoingMail): string {
  return `${queuedAt.toISOString().replace(/[-:.]/g, "")}-${kind}-${id}.eml`;
}

/** Under another name first: what lies there under its own name is whole. */
async function writeWhole(file: string, bytes: Buffer): Promise<void> {
  const draft = `${file}.draft`;
  const handle = await open(draft, "w", 0o600);
  try {
    await handle.writeFile(bytes);
    await handle.sync();
  } finally {
    await handle.close();
  }
  await rename(draft, file);
}

async function syncFolder(folder: string): Promise<void> {
  // Not every system opens folders: then it is theirs to keep the new name.
  const handle = await open(folder, "r").catch(() => undefined);
  await handle?.sync().catch(() => {});
  await handle?.close();
}

async function removeOldest(folder: string): Promise<void> {
  const files = (await readdir(folder)).filter((name) => FILE.test(name)).sort();
  for (const name of files.slice(0, -MOST_FILES)) await rm(join(folder, name), { force: true });
}

function unlessThere(error: unknown): void {
  if (codeOf(error) !== "EEXIST") throw error;
}

function codeOf(error: unknown): string | undefined {
  return (error as NodeJS.ErrnoException).code;
}
