import t from "tap";
import { pooledRandom } from "../../server/random-bytes.ts";
import { openMongoStore } from "../../server/stores/mongodb/store.ts";
import { newDatabase, useMongod, withDatabase } from "../support/mongod.ts";
import { documentStoreContract } from "./document-store.ts";

const mongod = await useMongod(t);
if (mongod) {
  const random = pooledRandom();
  documentStoreContract(
    "mongodb",
    () => {
      const url = withDatabase(mongod.url, newDatabase());
      return {
        open: (clock = Date.now) => openMongoStore({ url, clock, random, warn: (message) => t.comment(message) }),
      };
    },
    {
      // Documents come as BSON and are parsed by the driver, so there is nothing to be spared.
      // Documents are stored as BSON, whose bytes MongoDB counts along.
      countsTexts: false,
      readsInProcess: false,
    },
  );
}
