/** A person's way through accounts, in the order of docs/auth.md. Run it with `npx tsx docs/examples/accounts/run.ts`. */
import { ApiError, createClient } from "@galley/sdk";
import { newestMail } from "./outbox.ts";

export interface Example {
  /** A running Galley in development mode, without a mail server. */
  readonly url: string;
  /** Its folder of mails. */
  readonly outbox: string;
  /** Told of each step, in words. */
  readonly log: (line: string) => void;
}

/** Signs up, proves the address, signs in on two devices, refreshes, and is signed out from afar. */
export async function walkThrough({ url, outbox, log }: Example): Promise<void> {
  const email = `ada.${Date.now().toString(36)}@example.org`;
  const password = "plum-orbit-lantern-42";

  const laptop = createClient({ url });
  const phone = createClient({ url });
  try {
    const { user } = await laptop.auth.signUp({ email, password, name: "Ada" });
    log(`signed up as ${user?.email}, proven: ${user?.emailProven}`);

    // The link of the mail, opened where Ada is signed in. In an app: the page that it leads to does this.
    const mail = await newestMail(outbox, "verify", email);
    await laptop.auth.finish(null, { token: mail.token });
    log(`proved the address by mail: ${laptop.auth.user?.emailProven}`);

    await phone.auth.signIn({ email, password });
    const { length } = await laptop.auth.sessions.list();
    log(`signed in on a phone as well: ${length} devices`);

    // Tokens are refreshed by themselves; this is what an app's own requests send.
    const token = await phone.auth.token();
    const me = await fetch(`${url}/v1/auth/me`, { headers: { authorization: `Bearer ${token}` } });
    log(`the phone's token is ${me.ok ? "good" : "refused"}`);

    phone.auth.onChange((_user, why) => log(`the phone hears: ${why}`));
    await laptop.auth.sessions.endOthers();
    const refused = await phone.auth.update({ name: "Somebody" }).catch((error: unknown) => error);
    if (!(refused instanceof ApiError)) throw new Error("the phone should have been signed out");
    log(`the phone is signed out at once: ${refused.code}`);

    await laptop.auth.update({ name: "Ada Lovelace", data: { theme: "dark" } });
    log(`the laptop goes on as ${laptop.auth.user?.name}`);

    await laptop.auth.deleteAccount();
    log(`the account is gone: ${laptop.auth.user}`);
  } finally {
    laptop.close();
    phone.close();
  }
}
