import { WebSocket } from "ws";
import { encodeValue, type Value } from "#protocol/values";
import { ApiError, createClient, type LiveState } from "#sdk";
import { type Call, type Command, CommandError, needed, textOption } from "./command.ts";
import { reach } from "./reach.ts";

type Row = Readonly<Record<string, unknown>>;

const SIGNS = { added: "+", updated: "~", moved: "=", removed: "-" };

export const command: Command = {
  usage: "watch <collection> [filter] [--sort <keys>] [--limit <n>]",
  help: `Follows a question's result, as an app sees it live: a line for each document that comes (+), changes (~), moves (=)
or goes (-), until ctrl-c. The filter is JSON, as in '{"done": false}'. Needs a server that runs. A lost connection comes
back by itself, and then what changed meanwhile is shown, net; after a restart of the server only with --url and a service key of your
own, since the key of a run ends with it.

  --sort <keys>   comma-separated paths, "-" for descending, as in --sort=-_createdAt
  --limit <n>     documents at most, 50 unless said`,
  positionals: 2,
  options: { sort: { type: "string" }, limit: { type: "string" } },
  async run(call) {
    const collection = needed(call, 0, "collection");
    const filter = filterOf(call);
    const galley = await reach(call);
    try {
      if (!galley.address) throw new CommandError("no server runs on this data folder: start one with galley dev");
      const { url, key: serviceKey } = galley.address;
      const db = createClient({ url, serviceKey, WebSocket: WebSocket as unknown as typeof globalThis.WebSocket });
      try {
        await follow(call, db, db.collection(collection).find(filter as never, shapeOf(call) as never));
      } catch (error) {
        // What the SDK refuses by itself, as a filter that is no object.
        throw ApiError.is(error) ? new CommandError(`${error.message} (${error.code})`) : error;
      } finally {
        db.close();
      }
    } finally {
      await galley.close();
    }
  },
};

/** @throws CommandError if the question is refused */
async function follow(
  call: Call,
  { connection }: Pick<ReturnType<typeof createClient>, "connection">,
  question: { live(): AsyncIterable<LiveState<Row[]>> & { close(): void } },
): Promise<void> {
  const live = question.live();
  const stop = () => live.close();
  for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, stop);
  // Whoever read it has gone, as `head` does.
  call.output.stdout.on("error", stop);
  const unwatch = connection.onChange(() => {
    if (connection.status === "waiting") call.warn("the connection is lost: trying again");
  });
  try {
    for await (const { changes, error, position } of live) {
      if (error) throw new CommandError(`${error.message} (${error.code})`);
      for (const { type, id, document, from, to } of changes) {
        const text = encodeValue(document as unknown as Value);
        if (call.json) {
          const told = JSON.stringify({ type, id, from, to, position });
          call.print(`${told.slice(0, -1)},"document":${text}}`);
        } else call.print(type === "removed" ? `${SIGNS[type]} ${id}` : `${SIGNS[type]} ${id} ${text}`);
      }
    }
  } finally {
    unwatch();
    for (const signal of ["SIGINT", "SIGTERM"] as const) process.off(signal, stop);
  }
}

function filterOf(call: Call): unknown {
  const [, text = "{}"] = call.positionals;
  try {
    return JSON.parse(text);
  } catch {
    throw new CommandError(`the filter is not JSON: expects one like '{"done": false}'`);
  }
}

function shapeOf(call: Call): object {
  const sort = textOption(call, "sort");
  const limit = textOption(call, "limit");
  return {
    ...(sort !== undefined && { sort: sort.split(",") }),
    // What is no number is refused by the server, by its place.
    ...(limit !== undefined && { limit: /^\d+$/.test(limit) ? Number(limit) : limit }),
  };
}
