/** What a set of three must ride out, on one set, whose start costs several seconds of a core: fault-cases.md F11, F12, F20. */
import t from "tap";
import { startGalleyOn } from "../support/galley-on-mongodb.ts";
import { useReplicaSet } from "../support/replica-set.ts";
import { testElections } from "./set-elections.ts";
import { testMajority } from "./set-majority.ts";

/** An election takes seconds, and there are a dozen of them. */
t.setTimeout(600_000);

const set = await useReplicaSet(t);
if (set) {
  const galley = await startGalleyOn(t, set.url);
  testElections(t, set, galley);
  testMajority(t, set, galley);
}
