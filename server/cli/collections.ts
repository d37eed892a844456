import { type Command, CommandError, needed, textOption } from "./command.ts";
import { readJsonFile } from "./json-file.ts";
import { reach, sendJson } from "./reach.ts";

interface Info {
  readonly name: string;
  readonly documents: number;
  readonly bytes: number;
  readonly indexes: readonly {
    paths: readonly string[];
    unique?: boolean;
    state: string;
    progress: number;
    reason?: string;
  }[];
}

const BASE = "/v1/admin/collections";

export const command: Command = {
  usage: "collections list | show <name> | create <name> [options] | drop <name> --yes",
  help: `Declares collections and shows their size and indexes.

  --index <paths>    with create: an index over comma-separated paths, "-" for descending; may be repeated
  --unique <paths>   with create: a unique index; may be repeated
  --schema <file>    with create: a JSON Schema that every document must fit
  --template <name>  with create: owner, public-read or team; brings schema and index, and publishes rules that open it
  --field <name>     with a template: the field that says whose a document is, if not ownerId or teamId
  --yes              with drop: really drop the collection with its documents`,
  positionals: 2,
  options: {
    index: { type: "string", multiple: true },
    unique: { type: "string", multiple: true },
    schema: { type: "string" },
    template: { type: "string" },
    field: { type: "string" },
    yes: { type: "boolean" },
  },
  async run(call) {
    const [action = "list"] = call.positionals;
    if (!["list", "show", "create", "drop"].includes(action)) {
      throw new CommandError(`expects list, show, create or drop, got "${action}"`);
    }
    const name = action === "list" ? "" : needed(call, 1, "name");
    if (action === "drop" && call.values.yes !== true) {
      throw new CommandError(`this deletes every document of "${name}"; say --yes if you mean it`);
    }
    const galley = await reach(call);
    try {
      const path = `${BASE}/${encodeURIComponent(name)}`;
      if (action === "list") {
        const { collections } = await sendJson<{ collections: Info[] }>(galley, "GET", BASE);
        if (collections.length === 0 && !call.json) call.print("No collections yet.");
        for (const info of collections) call.print(call.json ? JSON.stringify(info) : describe(info));
      } else if (action === "show") {
        const info = await sendJson<Info>(galley, "GET", path);
        call.print(call.json ? JSON.stringify(info) : describe(info));
      } else if (action === "create") {
        const info = await sendJson<Info>(galley, "POST", BASE, {
          name,
          ...definition(call.values, textOption(call, "schema")),
        });
        const opened = call.values.template === undefined ? "" : " Its rules are in force: see `galley rules show`.";
        call.print(call.json ? JSON.stringify(info) : `Created ${name}.${opened}`);
      } else {
        await sendJson(galley, "DELETE", path);
        call.print(call.json ? JSON.stringify({ dropped: name }) : `Dropped ${name}.`);
      }
    } finally {
      await galley.close();
    }
  },
};

function definition(values: Readonly<Record<string, unknown>>, schemaFile: string | undefined): object {
  const lists = (name: string) => ((values[name] as string[] | undefined) ?? []).map((text) => text.split(","));
  const indexes = [
    ...lists("index").map((paths) => ({ paths })),
    ...lists("unique").map((paths) => ({ paths, unique: true })),
  ];
  return {
    ...(indexes.length > 0 ? { indexes } : {}),
    ...(schemaFile === undefined ? {} : { schema: readJsonFile(schemaFile) }),
    ...(values.template === undefined ? {} : { template: values.template }),
    ...(values.field === undefined ? {} : { field: values.field }),
  };
}

function describe(info: Info): string {
  const indexes = info.indexes.map((index) => {
    const state = index.state === "building" ? `building, ${Math.round(index.progress * 100)} %` : index.state;
    return `\n  index ${index.paths.join(", ")}${index.unique ? " (unique)" : ""}: ${state}${index.reason ? `, ${index.reason}` : ""}`;
  });
  return `${info.name}: ${info.documents} documents, ${info.bytes} bytes${indexes.join("")}`;
}
