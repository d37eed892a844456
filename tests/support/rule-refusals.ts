import { parseRules, type RuleFault, type RuleFaultCode } from "../../server/access/parsing/rules.ts";

export function faultsOf(input: unknown): readonly RuleFault[] {
  return parseRules(input, 1).faults;
}

export const SHARED = {
  macros: { author: { authorId: "$auth.id" }, member: { teamId: { $in: "$lookup.myTeams" } } },
  lookups: {
    myTeams: { from: "team_members", where: { userId: "$auth.id" }, select: "teamId" },
    isAdmin: { from: "admins", where: { teamId: "$doc.teamId", userId: "$auth.id" } },
  },
};
/** A set with these rules of `posts`, beside what is shared. */
export const posts = (rules: unknown, shared: unknown = SHARED) => ({
  format: 1,
  shared,
  collections: { posts: rules },
});

export type Row = readonly [input: unknown, code: RuleFaultCode, message: string];

/** Each input has one fault, whose message starts with its path. */
export function refuses(t: { strictSame(found: unknown, wanted: unknown): unknown }, rows: readonly Row[]): void {
  const wrong: unknown[] = [];
  for (const [input, code, message] of rows) {
    const found = faultsOf(input);
    const [fault] = found;
    const path = fault && message.startsWith(`${fault.path}: `);
    if (found.length !== 1 || fault?.code !== code || !path || fault.message !== message)
      wrong.push({ message, found });
  }
  t.strictSame(wrong, []);
}
