import { type Client, createClient } from "@galley/sdk";
import { type Admin, admin } from "@galley/sdk/admin";
import type { Schema } from "./galley.d.ts";

export type Db = Client<Schema>;

/** Who acts: a reader who is not signed in, a guest, two writers, the lead of a team, and an editor. */
export type Who = "reader" | "guest" | "ann" | "ben" | "lea" | "eva";

export interface People {
  /** Everybody's own client, as on a device of theirs. */
  readonly clients: Readonly<Record<Who, Db>>;
  /** Ids of those who have one. */
  readonly ids: Readonly<Record<Exclude<Who, "reader">, string>>;
  close(): void;
}

const PASSWORD = "plum-orbit-lantern-42";

/** Signs everybody up, each with a public profile, and has an admin make Eva an editor. */
export async function gather(url: string, as: Admin): Promise<People> {
  const connect = (): Db => createClient<Schema>({ url });
  const clients = {
    reader: connect(),
    guest: connect(),
    ann: connect(),
    ben: connect(),
    lea: connect(),
    eva: connect(),
  };
  const close = () => {
    for (const client of Object.values(clients)) client.close();
  };
  const signUp = async (handle: "ann" | "ben" | "lea" | "eva") => {
    const email = `${handle}.${Date.now().toString(36)}@example.org`;
    // The profile is made in the same commit as the account, under the rules of `users`.
    const profile = { handle, address: `${handle}'s street 1` };
    const { user } = await clients[handle].auth.signUp({ email, password: PASSWORD, profile });
    if (!user) throw new Error("the setting signUp.confirm should be `later` here");
    return user.id;
  };
  try {
    const ann = await signUp("ann");
    const ben = await signUp("ben");
    const lea = await signUp("lea");
    const eva = await signUp("eva");
    const guest = (await clients.guest.auth.signInAsGuest()).id;
    await as.users.update(eva, { roles: ["editor"] });
    return { clients, ids: { guest, ann, ben, lea, eva }, close };
  } catch (error) {
    close();
    throw error;
  }
}

/** What an admin of the server does, by a service key. */
export function asAdmin(url: string, serviceKey: string): { readonly admin: Admin; close(): void } {
  const client = createClient({ url, serviceKey });
  return { admin: admin(client), close: () => client.close() };
}
