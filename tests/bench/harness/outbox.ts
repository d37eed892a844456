import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { type ReceivedMail, readMail } from "../../support/mailbox.ts";
import { until } from "../../support/until.ts";

/** The mails of servers without SMTP, thousands of them: each is read once. */
export interface Outbox {
  /** Waits for the next mail of a kind to an address that was not taken before. */
  take(to: string, kind: string): Promise<ReceivedMail>;
}

const SECONDS = 60;

/** @param folders the servers' data folders: whichever of them sends it */
export function openOutbox(folders: readonly string[]): Outbox {
  const seen = new Set<string>();
  const waiting = new Map<string, ReceivedMail[]>();
  let looked = 0;

  function look(): void {
    // Those who wait at once need not look each.
    if (performance.now() - looked < 2) return;
    for (const folder of folders.map((one) => join(one, "outbox"))) {
      for (const name of namesIn(folder)) {
        if (seen.has(name)) continue;
        seen.add(name);
        const mail = readMail(name, readFileSync(join(folder, name), "utf8"));
        const key = keyOf(mail.to, mail.kind);
        waiting.set(key, [...(waiting.get(key) ?? []), mail]);
      }
    }
    looked = performance.now();
  }

  return {
    async take(to, kind) {
      const key = keyOf(to, kind);
      const found = () => {
        look();
        return (waiting.get(key)?.length ?? 0) > 0;
      };
      await until(found, SECONDS, `a mail of kind ${kind} to ${to}`);
      return waiting.get(key)?.shift() as ReceivedMail;
    },
  };
}

function namesIn(folder: string): string[] {
  try {
    return readdirSync(folder).filter((name) => name.endsWith(".eml"));
  } catch {
    return []; // made with the first mail
  }
}

function keyOf(to: string, kind: string): string {
  return `${kind} ${/[\w.+-]+@[\w.-]+/.exec(to)?.[0] ?? to}`;
}
