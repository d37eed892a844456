import { ARGON2_VERSION, COSTS, HASH_BYTES, type HashCosts, SALT_BYTES } from "./hash-costs.ts";
import { createHashLink, type HashMaker } from "./hash-link.ts";
import { createHashQueue, type HashQueueOptions, hashesAtOnce, type Waiting } from "./hash-queue.ts";
import type { PasswordVerdict } from "./hash-work.ts";
import { formatPhc } from "./phc.ts";

export type { HashCosts } from "./hash-costs.ts";

/** Stores passwords as argon2id, and checks them; accounts.md 3. Each takes its turn in the hash queue. */
export interface PasswordHasher {
  /**
   * @param password normal, as password-policy.ts makes it
   * @returns a PHC string
   * @throws GalleyError `rate_limited`, as `verify`
   */
  hash(password: string, who: Waiting): Promise<string>;
  /**
   * @param read counts the try and reads what is stored, before it is judged and after there is room for it; undefined where
   *   nothing is, or nothing that counts: then the same work is done, and the answer is no
   */
  verify(password: string, who: Waiting, read: () => Promise<string | undefined>): Promise<PasswordVerdict>;
  close(): Promise<void>;
}

export interface PasswordHasherOptions extends HashQueueOptions {
  readonly random: (bytes: number) => Uint8Array;
  /** {@link COSTS} by default. Only tests say otherwise: no configuration leads here. */
  readonly costs?: HashCosts | undefined;
}

export function createPasswordHasher({ random, costs = COSTS, ...options }: PasswordHasherOptions): PasswordHasher {
  const queue = createHashQueue(options);
  const maker = costs === COSTS ? createHashLink(hashesAtOnce(options)) : HERE;
  // Of nobody's password: whatever is given, it costs what a stored one does, and is wrong.
  const dummy = formatPhc({
    id: "argon2id",
    version: ARGON2_VERSION,
    costs: { ...costs },
    salt: random(SALT_BYTES),
    hash: random(HASH_BYTES),
  });

  const newSalt = (): string => Buffer.from(random(SALT_BYTES)).toString("base64");

  return {
    hash: (password, who) => queue.run(who, () => maker.make({ password, salt: newSalt(), costs })),
    verify: (password, who, read) =>
      queue.runPrepared(who, read, (stored) => maker.check({ password, stored, dummy, costs })),
    close: () => maker.close(),
  };
}

/** What costs next to nothing is done here: hundreds of tests would each wait for a process of their own. */
const HERE: HashMaker = {
  make: async (making) => (await hashWork()).makeHash(making),
  check: async (checking) => (await hashWork()).checkHash(checking),
  close: async () => {},
};

/** Native code, of which no start has need. */
function hashWork() {
  return import("./hash-work.ts");
}
