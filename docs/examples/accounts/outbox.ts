import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as wait } from "node:timers/promises";

/** Waits for a mail of a kind to an address among the files that a server without SMTP writes. */
export async function newestMail(outbox: string, kind: string, to: string): Promise<{ token: string }> {
  for (let tried = 0; tried < 500; tried++) {
    const names = await readdir(outbox).catch(() => []);
    for (const name of names
      .filter((one) => one.includes(`-${kind}-`) && one.endsWith(".eml"))
      .sort()
      .reverse()) {
      const text = decoded(await readFile(join(outbox, name), "utf8"));
      const token = /#token=([A-Za-z0-9_.-]+)/.exec(text)?.[1];
      if (text.includes(to) && token !== undefined) return { token };
    }
    await wait(20);
  }
  throw new Error(`no mail came for ${to}`);
}

/** Mails wrap long lines with `=` at the end and write `=` itself as `=3D`. */
function decoded(source: string): string {
  return source.replace(/=\r?\n/g, "").replace(/=3D/g, "=");
}
