import { homedir } from "node:os";
import { join } from "node:path";

/** A place from which a program may come. */
export interface Source {
  readonly name: string;
  /** The path of a program. Rejects with the reason if there is none. */
  find(): Promise<string>;
}

/** There is no such program for this machine, which says nothing about Galley. */
export class NotToBeHad extends Error {}

/**
 * The first program that runs here: each source is asked only if those before it have none.
 *
 * @param check rejects if a program is not what it should be
 * @throws NotToBeHad with the reason of every source
 */
export async function findProgram(
  name: string,
  sources: readonly Source[],
  check: (program: string) => Promise<void>,
): Promise<string> {
  const reasons: string[] = [];
  for (const source of sources) {
    try {
      const program = await source.find();
      await check(program);
      return program;
    } catch (error) {
      reasons.push(`${source.name}: ${complaint(error)}`);
    }
  }
  throw new NotToBeHad(`no ${name} to be had (${reasons.join("; ")})`);
}

/** The user's, since `npm ci` would delete what lies in node_modules. */
export function cacheFolder(): string {
  const caches =
    process.env.XDG_CACHE_HOME ?? join(homedir(), process.platform === "darwin" ? "Library/Caches" : ".cache");
  return join(caches, "galley");
}

/** A child's own complaint, if it made one, says more than that it failed. Its last line is the one that ended it. */
function complaint(error: unknown): string {
  const { stderr, message, cause } = error as { stderr?: string; message: string; cause?: { message?: string } };
  const text = stderr?.trim().split("\n").at(-1) || message.split("\n", 1)[0];
  return `${text}${cause?.message ? ` (${cause.message})` : ""}`.slice(0, 200);
}
