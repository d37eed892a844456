/**
 * What breaks between Galley and one MongoDB that lives on: fault-cases.md F13, F18, F19. One server and one Galley behind a
 * proxy for all of it, since to start them costs four seconds of a core.
 */
import t from "tap";
import { startGalleyBehindProxy } from "../support/galley-on-mongodb.ts";
import { useOwnMongod } from "../support/mongod.ts";
import { testBatches } from "./one-batches.ts";
import { testFaults } from "./one-faults.ts";

t.setTimeout(600_000);

const mongod = await useOwnMongod(t);
if (mongod) {
  const { host } = mongod.process;
  const { proxy, galley } = await startGalleyBehindProxy(t, host);
  testBatches(t, host, proxy, galley);
  testFaults(t, host, proxy, galley);
}
