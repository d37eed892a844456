/** A test file that fails as PLANTED says, for runner.test.ts; none that `npm test` finds by itself. */
import { setTimeout as pause } from "node:timers/promises";
import t from "tap";

const SECOND_MS = 1000;

t.test("a behaviour that holds", async (t) => {
  t.equal(1, 1, "one is one");
});

t.test("a behaviour that does not", async (t) => {
  switch (process.env.PLANTED) {
    case "assertion":
      t.equal(1, 2, "one is two");
      return;
    case "error that nobody awaits":
      setImmediate(() => {
        throw new Error("thrown later");
      });
      await pause(SECOND_MS);
      return;
    case "exit":
      process.exit(0);
      break;
    case "skip":
      t.pass("left out", { skip: "for a reason" });
      return;
    case "signal":
      process.kill(process.pid, "SIGKILL");
      await pause(SECOND_MS);
      return;
    default:
      t.pass();
  }
});
