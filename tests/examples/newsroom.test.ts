/** The newsroom example: rules with their tests, and forty steps of people whom they allow some things and deny others. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import t from "tap";
import { runNewsroom } from "../../docs/examples/newsroom/newsroom.ts";
import { STEPS } from "../../docs/examples/newsroom/steps.ts";
import { startApp } from "../support/app.ts";
import { galley, temporaryFolder } from "../support/command-line.ts";
import { onEachEngine } from "../support/engines.ts";
import { ROOT } from "../support/own-modules.ts";

onEachEngine(t, async (t, engine) => {
  const app = await startApp({ engine });
  t.teardown(() => app.close());
  const lines: string[] = [];
  await runNewsroom({ url: app.url, serviceKey: app.key, log: (line) => lines.push(line) });
  t.equal(lines.length, 40);
  const allowed = lines.filter((line) => /: (?:allowed|sees .+)$/.test(line));
  t.equal(allowed.length, STEPS.filter(({ denied }) => !denied).length, lines.join("\n"));
  const types = await galley(temporaryFolder(t), ["types", "--url", app.url], { GALLEY_SERVICE_KEY: app.key });
  t.equal(
    types.out,
    readFileSync(join(ROOT, "docs/examples/newsroom/galley.d.ts"), "utf8"),
    "types as the server has them",
  );
});
