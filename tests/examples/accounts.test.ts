import { join } from "node:path";
import t from "tap";
import { walkThrough } from "../../docs/examples/accounts/steps.ts";
import { startApp } from "../support/app.ts";
import { onEachEngine } from "../support/engines.ts";

onEachEngine(t, async (t, engine) => {
  const app = await startApp({ engine });
  t.teardown(() => app.close());
  const lines: string[] = [];
  await walkThrough({ url: app.url, outbox: join(app.folder, "outbox"), log: (line) => lines.push(line) });
  t.match(lines.join("\n"), /proven: false.*by mail: true.*2 devices.*good.*hears: ended.*Ada Lovelace.*gone: null/s);
});
