/** The five things one can do with documents and files. */
export type Action = "list" | "get" | "create" | "update" | "delete";

const ACTIONS = ["list", "get", "create", "update", "delete"];
const ADMIN_TARGETS = ["collections", "users", "keys", "settings", "stats", "logs", "audit", "rules"];
const ADMIN_ACTIONS = ["read", "write"];

/**
 * Scopes of a service key or admin: `area:target:action`, `*` allowed in the last two parts, `*` alone is everything.
 * The one check that every route runs (access-rules.md 1).
 */
export class ScopeSet {
  readonly texts: readonly string[];
  readonly #known = new Map<string, boolean>();
  readonly #everything: boolean;

  constructor(texts: readonly string[]) {
    this.texts = Object.freeze([...texts]);
    this.#everything = texts.includes("*");
  }

  allows(area: "documents" | "files" | "admin", target: string, action: string): boolean {
    if (this.#everything) return true;
    const wanted = `${area}:${target}:${action}`;
    let allowed = this.#known.get(wanted);
    if (allowed === undefined) {
      allowed = this.texts.some((text) => matches(text, area, target, action));
      // Targets are names that callers choose, so what is remembered has a bound.
      if (this.#known.size > 1000) this.#known.clear();
      this.#known.set(wanted, allowed);
    }
    return allowed;
  }

  /** Whether everything that `other` allows is allowed here: a key makes no key beyond its own scopes. */
  covers(other: ScopeSet): boolean {
    return other.texts.every((text) => this.texts.some((mine) => includes(mine, text)));
  }
}

/** Sets of scopes that admins get by name; access-rules.md 1. */
export type AdminRole = "owner" | "editor" | "viewer";

export const ROLES: Readonly<Record<AdminRole, ScopeSet>> = {
  owner: new ScopeSet(["*"]),
  editor: new ScopeSet([
    "documents:*:*",
    "files:*:*",
    ...["collections", "rules", "users"].flatMap((target) => [`admin:${target}:read`, `admin:${target}:write`]),
    ...["stats", "logs"].map((target) => `admin:${target}:read`),
  ]),
  viewer: new ScopeSet([
    ...["documents", "files"].flatMap((area) => [`${area}:*:list`, `${area}:*:get`]),
    ...["collections", "rules", "users", "stats", "logs"].map((target) => `admin:${target}:read`),
  ]),
};

function matches(scope: string, area: string, target: string, action: string): boolean {
  if (scope === "*") return true;
  const [a, t, x] = scope.split(":");
  return a === area && (t === "*" || t === target) && (x === "*" || x === action);
}

function includes(wide: string, narrow: string): boolean {
  if (wide === "*" || wide === narrow) return true;
  const [a, t, x] = wide.split(":");
  const [a2, t2, x2] = narrow.split(":");
  return a === a2 && (t === "*" || t === t2) && (x === "*" || x === x2);
}

/** What is wrong with a scope's text, in words; undefined if it is one. */
export function scopeFault(text: unknown): string | undefined {
  if (typeof text !== "string") return "expects a text";
  if (text === "*") return undefined;
  const [area, target, action, ...rest] = text.split(":");
  if (rest.length > 0 || target === undefined || action === undefined) return 'expects "area:target:action" or "*"';
  if (area === "documents" || area === "files") {
    if (target !== "*" && !/^[a-z][a-z0-9_-]{0,62}$/.test(target)) return "expects a collection or bucket name, or *";
    if (action !== "*" && !ACTIONS.includes(action)) return `expects one of ${ACTIONS.join(", ")}, or *`;
    return undefined;
  }
  if (area !== "admin") return "expects the area documents, files or admin";
  if (target !== "*" && !ADMIN_TARGETS.includes(target)) return `expects one of ${ADMIN_TARGETS.join(", ")}, or *`;
  return action === "*" || ADMIN_ACTIONS.includes(action) ? undefined : "expects read, write or *";
}
