import type { Document } from "mongodb";

/** Whether `_v` is one that `versionOf` (sdk/protocol/delta.ts) takes as it is. */
const IS_VERSION = {
  $and: [
    { $in: [{ $type: "$_v" }, ["int", "long", "double"]] },
    { $gte: ["$_v", 1] },
    { $lte: ["$_v", Number.MAX_SAFE_INTEGER] },
    { $eq: ["$_v", { $trunc: "$_v" }] },
  ],
};

/** Finds the document with this id if it has this version. */
export function versionFilter(id: string, version: number): Document {
  if (version !== 1) return { _id: id, _v: version };
  return { _id: id, $expr: { $eq: [1, { $cond: [IS_VERSION, "$_v", 1] }] } };
}
