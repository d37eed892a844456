import { createWriteStream } from "node:fs";
import { pipeline } from "node:stream/promises";
import { type Command, CommandError, needed, textOption } from "./command.ts";
import { breakReason, errorMessage, reach, readText } from "./reach.ts";

export const command: Command = {
  usage: "export <collection> [--out <file>] [--plain]",
  help: `Writes the collection's documents as NDJSON, one a line in _id order, to standard output or a file. What it writes,
galley import takes back.

  --out <file>   write there instead
  --plain        values without tags: dates as text, int64 as digits`,
  positionals: 1,
  options: { out: { type: "string" }, plain: { type: "boolean" } },
  async run(call) {
    const collection = needed(call, 0, "collection");
    const galley = await reach(call);
    try {
      const path = `/v1/admin/collections/${encodeURIComponent(collection)}/export${call.values.plain ? "?types=plain" : ""}`;
      const reply = await galley.send({ method: "GET", path });
      if (reply.status !== 200) throw new CommandError(errorMessage(await readText(reply.body), reply.status));
      const out = textOption(call, "out");
      try {
        if (out === undefined) await pipeline(reply.body, call.output.stdout, { end: false });
        else await pipeline(reply.body, createWriteStream(out));
      } catch (error) {
        throw new CommandError(`the export broke off: ${breakReason(error)}`);
      }
    } finally {
      await galley.close();
    }
  },
};
