import { describe } from "#protocol/describe";
import { parseInDialect } from "#protocol/filter";
import { jsonBytes } from "#protocol/json-size";
import { LIMITS } from "#protocol/limits";
import { isObjectValue } from "#protocol/values";
import { cycle, MACRO_DEPTH, RuleDialect, TOO_NESTED } from "./rule-dialect.ts";
import { isRuleName, NAME_RULE } from "./rule-names.ts";
import type { Macro, RuleScope } from "./rule-scope.ts";
import { readMembers } from "./rule-shapes.ts";
import { checkUses } from "./rule-uses.ts";

/** The macros that are defined at a place, not yet looked into. */
export function nameMacros(input: unknown, at: string, { faults }: Pick<RuleScope, "faults">): Map<string, Macro> {
  const macros = new Map<string, Macro>();
  for (const [name, body] of readMembers(input, at, faults, "an object of filters by name")) {
    if (faults.full) break;
    if (!isRuleName(name)) faults.add(`${at}.${name}`, "bad_path", NAME_RULE);
    else macros.set(name, { name, body, bytes: jsonBytes(body, LIMITS.filterBytes), broken: false, height: 1 });
  }
  return macros;
}

interface Link {
  readonly to: Macro;
  readonly at: string;
}

/**
 * Adds the faults of macros, each where it stands, so that none is said again wherever the macro is used. What depends
 * on the rule around it is judged there.
 */
export function checkMacros(macros: ReadonlyMap<string, Macro>, at: string, scope: RuleScope): void {
  const links = new Map<Macro, readonly Link[]>();
  for (const macro of macros.values()) {
    if (scope.faults.full) return;
    links.set(macro, checkMacro(macro, `${at}.${macro.name}`, scope));
  }
  orderMacros(links, scope);
}

/** @returns the macros that it uses */
function checkMacro(macro: Macro, at: string, scope: RuleScope): Link[] {
  const { faults } = scope;
  const before = faults.list.length;
  const links: Link[] = [];
  if (!isObjectValue(macro.body)) faults.add(at, "wrong_type", `expects a filter, got ${describe(macro.body)}`);
  else if (macro.bytes > LIMITS.filterBytes) {
    faults.add(at, "too_large", `is longer than ${LIMITS.filterBytes} bytes as JSON`);
  } else {
    const dialect = new RuleDialect(scope, scope.budget, (to, place) => links.push({ to, at: place }));
    checkUses(parseInDialect(macro.body, at, faults, dialect), "macro", at, scope);
  }
  macro.broken = faults.list.length > before;
  return links;
}

/** Finds cycles and depth from the innermost macro outwards. It keeps its own stack: a chain may be long. */
function orderMacros(links: ReadonlyMap<Macro, readonly Link[]>, scope: RuleScope): void {
  const done = new Set<Macro>();
  for (const root of links.keys()) {
    const open: { readonly macro: Macro; next: number }[] = done.has(root) ? [] : [{ macro: root, next: 0 }];
    const opened = new Set<Macro>([root]);
    for (let top = open.at(-1); top; top = open.at(-1)) {
      const link = links.get(top.macro)?.[top.next++];
      if (!link) {
        finish(top.macro, links.get(top.macro) ?? [], scope);
        done.add(top.macro);
        opened.delete(top.macro);
        open.pop();
      } else if (opened.has(link.to)) {
        const names = open.map(({ macro }) => macro.name);
        scope.faults.add(link.at, "macro_cycle", cycle([...names, link.to.name], link.to.name));
        top.macro.broken = true;
      } else if (links.has(link.to) && !done.has(link.to)) {
        open.push({ macro: link.to, next: 0 });
        opened.add(link.to);
      }
    }
  }
}

function finish(macro: Macro, links: readonly Link[], { faults }: RuleScope): void {
  for (const { to, at } of links) {
    if (to.broken) macro.broken = true;
    else if (to.height < MACRO_DEPTH) macro.height = Math.max(macro.height, to.height + 1);
    else {
      faults.add(at, "too_large", TOO_NESTED);
      macro.broken = true;
    }
  }
}
