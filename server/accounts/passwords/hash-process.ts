import { type Checking, checkHash, type Making, makeHash, type PasswordVerdict } from "./hash-work.ts";

/** What the process is asked for, by number: to make a hash, or to check a password. */
export type HashRequest = { readonly number: number } & ({ readonly make: Making } | { readonly check: Checking });

/** What it answers. */
export type HashReply = { readonly number: number } & (
  | { readonly done: string | PasswordVerdict }
  | { readonly failed: string }
);

/** The process that hashes passwords for the server that has started it: it ends with it, and not before. */
function serve(): void {
  process.on("message", async (request: HashRequest) => {
    const reply = await answer(request);
    if (process.connected) process.send?.(reply);
  });
  process.on("disconnect", () => process.exit());
  // A terminal tells the whole group to end: the server still has to answer those who wait.
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.on(signal, () => {});
}

async function answer(request: HashRequest): Promise<HashReply> {
  const { number } = request;
  try {
    return { number, done: await ("make" in request ? makeHash(request.make) : checkHash(request.check)) };
  } catch (error) {
    return { number, failed: String(error) };
  }
}

serve();
