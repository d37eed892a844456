import { type Command, CommandError, textOption } from "./command.ts";
import { reach } from "./reach.ts";
import { Collector } from "./types/collect.ts";
import { writeTypes } from "./types/file.ts";
import { watchTypes } from "./types/watch.ts";
import { tell, writeFile } from "./types/write.ts";

export const command: Command = {
  usage: "types [--out <file>] [--watch]",
  help: `Writes TypeScript for the server's collections, to standard output or a file: hand its \`Schema\` to the SDK's
createClient<Schema>(…). A collection with a schema is typed by it, one without by up to 1,000 of its documents. The key
needs the scope admin:collections:read, to infer documents:*:list, and to know what access rules fill in admin:rules:read.

  --out <file>   write there, as in src/galley.d.ts; only if the file changes
  --watch        go on, and write again when the collections change, until ctrl-c. Needs --out and a server that runs`,
  positionals: 0,
  options: { out: { type: "string" }, watch: { type: "boolean" } },
  async run(call) {
    const out = textOption(call, "out");
    if (call.values.watch === true) {
      if (out === undefined) throw new CommandError("--watch needs --out <file>: what it writes is a file");
      await watchTypes(call, out);
      return;
    }
    const galley = await reach(call);
    try {
      const { collections, notes } = await new Collector().collect(galley);
      const text = writeTypes(collections, notes);
      if (out !== undefined) tell(call, out, collections.length, writeFile(out, text));
      else if (call.json) call.print(JSON.stringify({ types: text }));
      else call.output.stdout.write(text);
    } finally {
      await galley.close();
    }
  },
};
