/** What a hash costs, as PHC strings name it. */
export interface HashCosts {
  /** KiB. */
  readonly m: number;
  /** Passes. */
  readonly t: number;
  /** Lanes. */
  readonly p: number;
}

/** What is made today: argon2id, as RFC 9106 has it. */
export const COSTS: HashCosts = { m: 19 * 1024, t: 2, p: 1 };
export const ARGON2_VERSION = 19;
export const HASH_BYTES = 32;
export const SALT_BYTES = 16;
