import type { Finding } from "../publishing/rule-findings.ts";
import type { LintContext } from "./lint.ts";

/** `bucket_not_served`: rules of buckets are read, kept and tested for faults, and there is nothing yet that they judge. */
export function* bucketLints({ rules }: LintContext): Generator<Finding> {
  for (const { name } of rules.buckets.values()) {
    const path = `buckets.${name}`;
    const message = `${path}: this Galley stores no files yet, so the bucket is not made and its rules judge nothing`;
    yield { id: "bucket_not_served", level: "note", path, message };
  }
}
