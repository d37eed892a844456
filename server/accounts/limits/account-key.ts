import { createHash } from "node:crypto";
import type { Pool } from "../users.ts";

/** What limits count an address under, whether somebody has it or not. */
export function accountKey(pool: Pool, emailKey: string): string {
  return createHash("sha256").update(`${pool} ${emailKey}`).digest("hex");
}
