import type { Finding } from "../publishing/rule-findings.ts";
import { implies } from "./implication.ts";
import type { LintContext } from "./lint.ts";
import { leavesOf } from "./rule-walk.ts";

/** `list_wider_than_get`: a document that can be listed can as well be read, and only one of two rules says so. */
export function* seeingLints({ rules, observations }: LintContext): Generator<Finding> {
  for (const { name, list, get } of rules.collections.values()) {
    if (list === get || list.node.kind === "false") continue;
    const sample = observations?.listedOnly.find(({ collection }) => collection === name);
    // What an exists lookup finds, shapes do not tell: only samples do.
    const open = [...leavesOf(get.node)].some(({ path }) => path[0] === "$has");
    if (!sample && (open || implies(list.node, get.node))) continue;
    const who = sample?.user === undefined ? "nobody who is signed in" : `the user ${sample.user}`;
    const example = sample ? `: of the tests' documents ${sample.id} is listed for ${who}, who may not get it` : "";
    const message = `${list.at}: lists documents that get does not open${example}; narrow list, or write "get": "list"`;
    yield { id: "list_wider_than_get", level: "warning", path: list.at, message, fix: { get: "list" } };
  }
}
