import type { Node } from "#protocol/ast";
import { Faults } from "#protocol/errors";
import { ID_RANDOM_BYTES, idFault, newId } from "#protocol/id";
import type { AdminScope } from "../../access/authorize.ts";
import type { Log } from "../../log.ts";
import type { DocumentStore, Write } from "../../stores/document-store.ts";
import { fresh } from "../record.ts";
import type { DerivedKeys } from "../secrets/derived-keys.ts";
import { createSeal } from "../secrets/seal.ts";
import { composeMessage } from "./mail-message.ts";
import { KEPT } from "./mail-outcomes.ts";
import { createMailQueue } from "./mail-queue.ts";
import { MAIL, type MailKind, type MailRecord, readMail, writeMail } from "./mail-records.ts";
import { renderMail } from "./mail-rendering.ts";
import type { MailTemplates, MailValues } from "./mail-templates.ts";
import { MailFailure, type MailTransport } from "./mail-transport.ts";

export { MAIL, type MailKind } from "./mail-records.ts";
export type { MailTransport } from "./mail-transport.ts";

/** A mail to be sent. */
export interface MailRequest {
  readonly kind: MailKind;
  /** Undefined: stored and handled like any other, so that timing tells nothing, and never sent. */
  readonly to: string | undefined;
  readonly locale?: string;
  readonly values: MailValues;
  /** After that it is not worth sending. */
  readonly until: Date;
}

/** A mail as admins see it. Times are ISO 8601. */
export interface MailInfo {
  readonly id: string;
  readonly kind: MailKind;
  readonly to: string;
  readonly state: MailRecord["state"];
  readonly createdAt: string;
  readonly sentAt: string | null;
  /** Until when it is tried. */
  readonly until: string;
  readonly tries: number;
  /** Why it was not sent yet, or at all. */
  readonly reason: string | null;
  /** The file of the outbox, where there is no mail server. */
  readonly file: string | null;
}

/** Mail: accounts.md 11. */
export interface Mail {
  /** The write that queues a mail, for the commit that makes what it tells of. */
  queued(request: MailRequest): Write;
  /** Wakes the sender, after that commit. */
  wake(): void;
  /** Newest first, by pages. @throws GalleyError `invalid_argument` */
  list(
    scope: AdminScope,
    page: { readonly after?: string; readonly limit?: number },
  ): Promise<{ mails: MailInfo[]; next?: string }>;
  close(): Promise<void>;
}

export interface MailOptions {
  readonly store: DocumentStore;
  /** Epoch milliseconds. */
  readonly clock: () => number;
  /** That many random bytes. */
  readonly random: (bytes: number) => Uint8Array;
  readonly log: Log;
  readonly keys: DerivedKeys;
  readonly transport: MailTransport;
  /** As the settings say now. */
  readonly templates: () => MailTemplates;
  /** Milliseconds that `close` waits for mails that are being sent. */
  readonly grace?: number;
}

const PAGE = 50;
const MOST_PAGE = 200;

/** Opens the mail queue of a store, whose collection {@link MAIL} is there. */
export function createMail({ keys, transport, templates, ...options }: MailOptions): Mail {
  const { store, clock, random } = options;
  const seal = createSeal({ keys, random });
  const queue = createMailQueue({ ...options, deliver });

  return {
    queued({ kind, to, locale, values, until }) {
      const now = clock();
      const id = newId(now, random(ID_RANDOM_BYTES));
      const mail: MailRecord = {
        ...fresh(id, now),
        ...{ kind, until, state: "queued", tries: 0, dueAt: new Date(now) },
        messageId: `<${Buffer.from(random(16)).toString("hex")}@${hostOf(transport)}>`,
        values: seal.seal(JSON.stringify(values), placeOf(id)),
        expiresAt: new Date(until.getTime() + KEPT),
        ...(to !== undefined && { to }),
        ...(locale !== undefined && { locale }),
      };
      return writeMail(store, mail, now);
    },

    wake: () => queue.wake(),

    async list(_scope, { after, limit = PAGE }) {
      const faults = new Faults();
      if (after !== undefined && idFault(after)) faults.add("after", "bad_value", "expects `next` of the page before");
      if (!Number.isInteger(limit) || limit < 1 || limit > MOST_PAGE) {
        faults.add("limit", "bad_value", `expects a whole number from 1 to ${MOST_PAGE}`);
      }
      faults.throwIfAny();
      // What goes to nobody is nobody's business.
      const filter: Node = { kind: "exists", path: ["to"] };
      const sort = [{ path: ["_id"], descending: true }];
      const budget = { candidates: Number.POSITIVE_INFINITY, milliseconds: 10_000 };
      const query = { collection: MAIL.name, filter, sort, limit, budget };
      const { rows, more } = await store.find(after === undefined ? query : { ...query, after: [after] });
      const last = rows.at(-1);
      return { mails: rows.map((row) => infoOf(readMail(row))), ...(more && last && { next: last.id }) };
    },

    async close() {
      await queue.close();
      transport.close();
    },
  };

  /** One to nobody is made like any other, up to the moment at which it would leave. */
  async function deliver(mail: MailRecord, signal: AbortSignal) {
    const { id, kind, to, createdAt: queuedAt } = mail;
    const opened = seal.open(mail.values ?? "", placeOf(id));
    if (opened === undefined) {
      throw new MailFailure("this-mail", "what it says cannot be opened: GALLEY_SECRET is another one now");
    }
    const values = JSON.parse(opened) as MailValues;
    const rendered = renderMail(templates(), mail, values);
    const message = await composeMessage(mail, rendered, transport.from);
    if (to === undefined) return {};
    const { link } = values;
    return transport.send({ id, kind, queuedAt, to, message, ...(link !== undefined && { link }) }, signal);
  }
}

/** Where sealed values belong: those of one mail open in no other. */
function placeOf(id: string): string {
  return `${MAIL.name}/${id}`;
}

function hostOf({ from }: MailTransport): string {
  return from.address.slice(from.address.lastIndexOf("@") + 1);
}

function infoOf({ id, kind, to = "", state, createdAt, sentAt, until, tries, reason, file }: MailRecord): MailInfo {
  return {
    ...{ id, kind, to, state, tries },
    createdAt: createdAt.toISOString(),
    sentAt: sentAt?.toISOString() ?? null,
    until: until.toISOString(),
    reason: reason ?? null,
    file: file ?? null,
  };
}
