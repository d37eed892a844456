/** Objects of other drivers and tags that are none here: refused or stored as they are, nothing is called; Q07. */
export const FOREIGN_VALUES: readonly string[] = [
  '{"_bsontype":"Code","code":"1"}',
  '{"_bsontype":"ObjectId","id":"aaaaaaaaaaaa"}',
  '{"_bsontype":"ObjectID"}',
  '{"$oid":"507f1f77bcf86cd799439011"}',
  '{"$code":"1"}',
  '{"$ref":"x"}',
  '{"$ref":"x","$id":"y"}',
  '{"$numberDecimal":"1"}',
  '{"$regularExpression":{"pattern":".","options":""}}',
  '{"$undefined":true}',
  '{"$minKey":1}',
  '{"$symbol":"x"}',
  '{"$numberLong":1}',
  '{"$numberLong":"9223372036854775808"}',
  '{"$numberLong":"01"}',
  '{"$numberLong":"1","x":1}',
  '{"$date":"yesterday"}',
  '{"$date":{"$numberLong":"0"}}',
  '{"$date":1e300}',
  '{"$date":"10000-01-01T00:00:00Z"}',
  '{"$binary":"AQ=="}',
  '{"$binary":{"base64":"AQ==","subType":"03"}}',
  '{"$binary":{"base64":"!","subType":"00"}}',
  "1e999",
  "-1e400000",
];

/** The number of levels or entries that a limit must stop long before they cost anything; Q13, Q14. */
export const LEVELS: readonly number[] = [9, 50, 1000, 100_000];

/** Limits that are none; Q15. */
export const FALSE_LIMITS: readonly unknown[] = [-1, 0, 1.5, 1e9, "10", null, [10], { $gt: 1 }, true, 1001];

/** Members and parameters that other servers act on; Q18. */
export const FOREIGN_MEMBERS: readonly string[] = [
  "where",
  "lookup",
  "_q",
  "populate",
  "$where",
  "asServer",
  "scope",
  "__proto__",
  "constructor",
  "skip",
  "projection",
  "pipeline",
  "principal",
];
