import { RANK, type Rank } from "#protocol/compare";

/** The classes above EMPTY in their order, with the name by which `$type` knows their values. */
export const TYPES_BY_RANK: readonly (readonly [rank: Rank, type: string])[] = [
  [RANK.null, "null"],
  [RANK.number, "number"],
  [RANK.string, "string"],
  [RANK.object, "object"],
  [RANK.array, "array"],
  [RANK.binary, "binData"],
  [RANK.bool, "bool"],
  [RANK.date, "date"],
];
