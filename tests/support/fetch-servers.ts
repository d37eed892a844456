/** Fetches the real servers that the tests run on, so that a test need not wait minutes for one; prints where they are. */
import { NotToBeHad } from "./found-program.ts";
import { findMinio } from "./minio-program.ts";
import { findMongod } from "./mongod-program.ts";

const { GALLEY_TEST_MONGODB_URL: mongodb, GALLEY_TEST_S3_ENDPOINT: s3 } = process.env;
// Addresses that are given may hold passwords.
const found = [
  mongodb ? "the server of GALLEY_TEST_MONGODB_URL" : findMongod(),
  s3 ? "the server of GALLEY_TEST_S3_ENDPOINT" : findMinio(),
];
for (const result of await Promise.allSettled(found)) {
  if (result.status === "fulfilled") console.log(result.value);
  // What is not to be had is told by the test that needs it.
  else if (result.reason instanceof NotToBeHad) console.log(result.reason.message);
  else throw result.reason;
}
