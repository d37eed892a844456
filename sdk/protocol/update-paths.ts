import type { Faults } from "./errors.ts";
import { GalleyError } from "./errors.ts";
import { LIMITS } from "./limits.ts";
import type { Change, Elements, Segment, WritePath } from "./update-ast.ts";
import { fitsUtf8, keyFault } from "./values.ts";

const EVERY: Elements = Object.freeze({ kind: "every" });

/** Reads the paths of one update, and knows which of its array filters they name. */
export class WritePaths {
  readonly #filters: ReadonlyMap<string, Elements>;
  readonly #faults: Faults;
  readonly #used = new Set<string>();

  constructor(filters: ReadonlyMap<string, Elements>, faults: Faults) {
    this.#filters = filters;
    this.#faults = faults;
  }

  /**
   * Reads a dotted path; undefined, with a fault, if it is not one that may be written.
   *
   * @param at where it stands in the input
   * @param plain true where `$[]` and `$[x]` are not allowed
   */
  parse(text: string, at: string, plain = false): WritePath | undefined {
    const parts = text.split(".", LIMITS.pathSegments + 1);
    if (parts.length > LIMITS.pathSegments) {
      return this.#bad(at, `a path has at most ${LIMITS.pathSegments} segments`);
    }
    if (!fitsUtf8(text, LIMITS.pathBytes)) return this.#bad(at, `a path has at most ${LIMITS.pathBytes} bytes`);
    const segments: Segment[] = [];
    for (const part of parts) {
      const segment = this.#segment(part, at, plain || segments.length === 0);
      if (segment === undefined) return undefined;
      segments.push(segment);
    }
    if (text.startsWith("_")) {
      const name = JSON.stringify(parts[0]);
      this.#faults.add(at, "reserved_field", `${name} is reserved: names starting with "_" are the server's`);
      return undefined;
    }
    return Object.freeze({ text, segments: Object.freeze(segments) });
  }

  /** Names of array filters that no path has used so far. */
  unused(): string[] {
    return [...this.#filters.keys()].filter((name) => !this.#used.has(name));
  }

  #segment(part: string, at: string, plain: boolean): Segment | undefined {
    if (!part.startsWith("$")) {
      const fault = keyFault(part);
      return fault ? this.#bad(at, fault) : part;
    }
    const name = part.startsWith("$[") && part.endsWith("]") ? part.slice(2, -1) : undefined;
    if (name === undefined) {
      return this.#bad(at, 'a key may not start with "$"; elements are named by their index, "$[]" or "$[x]"');
    }
    if (plain) return this.#bad(at, `"${part.slice(0, 40)}" may not stand here: it names elements of an array`);
    if (name === "") return EVERY;
    const elements = this.#filters.get(name);
    if (!elements) return this.#bad(at, `"${part.slice(0, 40)}" has no filter of that name in $arrayFilters`);
    this.#used.add(name);
    return elements;
  }

  #bad(at: string, message: string): undefined {
    this.#faults.add(at, "bad_path", message);
    return undefined;
  }
}

/**
 * Refuses an update that writes one place twice: one path twice, or a path and its prefix, where `$[]` and `$[x]` stand
 * for any segment. What is left can be applied in any order with the same outcome.
 *
 * @throws GalleyError `conflicting_paths`
 */
export function refuseConflicts(changes: readonly Change[]): void {
  const paths = changes.flatMap((change) => (change.kind === "rename" ? [change.path, change.to] : [change.path]));
  for (let i = 1; i < paths.length; i++) {
    for (let j = 0; j < i; j++) {
      const [a, b] = [paths[j], paths[i]] as [WritePath, WritePath];
      if (!overlap(a.segments, b.segments)) continue;
      const message =
        a.text === b.text
          ? `The path "${a.text}" is written twice; write each path once.`
          : `The paths "${a.text}" and "${b.text}" write the same place; write each place once.`;
      throw new GalleyError("conflicting_paths", message, { paths: [a.text, b.text] });
    }
  }
}

/** Whether one is the other or the beginning of it. */
function overlap(a: readonly Segment[], b: readonly Segment[]): boolean {
  const shorter = Math.min(a.length, b.length);
  for (let i = 0; i < shorter; i++) {
    if (typeof a[i] === "string" && typeof b[i] === "string" && a[i] !== b[i]) return false;
  }
  return true;
}
