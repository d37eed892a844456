import type { Path } from "#protocol/paths";
import type { Finding } from "../publishing/rule-findings.ts";
import { implies } from "./implication.ts";
import type { LintContext } from "./lint.ts";

/** `hidden_but_writable` and `hidden_but_unique`: what is hidden from answers can still be told by other means. */
export function* hiddenLints({ rules, declared }: LintContext): Generator<Finding> {
  for (const { name, fields } of rules.collections.values()) {
    for (const { at, path, read, write } of fields) {
      if (read.node.kind === "true") continue;
      if (write && !implies(write.node, read.node)) {
        const message = `${at}.write: lets people write what they may not read: they replace what they cannot see; leave write out, or let it hold only where read does`;
        yield { id: "hidden_but_writable", level: "warning", path: `${at}.write`, message };
      }
      for (const { paths, unique } of declared(name)?.indexes ?? []) {
        if (!unique || !paths.some((text) => overlaps(text.replace(/^-/, "").split("."), path))) continue;
        const message = `${at}: is hidden, and the unique index over ${paths.join(", ")} tells by a clash that a value is taken`;
        yield { id: "hidden_but_unique", level: "note", path: at, message };
      }
    }
  }
}

/** Whether one of two paths leads to the other, or through it. */
function overlaps(one: Path, other: Path): boolean {
  const length = Math.min(one.length, other.length);
  return one.slice(0, length).join(".") === other.slice(0, length).join(".");
}
