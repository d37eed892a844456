import { type Command, CommandError, needed, textOption } from "./command.ts";
import { reach, sendJson } from "./reach.ts";

interface Key {
  readonly id: string;
  readonly name: string;
  readonly scopes: readonly string[];
  readonly expiresAt?: string | null;
  readonly lastUsedAt?: string | null;
}

const BASE = "/v1/admin/keys";

export const command: Command = {
  usage: "keys list | create <name> [--scope <scope>…] [--expires <date>] | revoke <id>",
  help: `Service keys let programs on your servers in. The key is shown once, when it is made.

  --scope <scope>     what it may do: area:target:action with * for any, as in documents:posts:list; may be repeated;
                      without it the key may do everything
  --expires <when>    a date like 2027-01-31, or never; a year from now if not given
  --network <cidr>    only from these addresses; may be repeated`,
  positionals: 2,
  options: {
    scope: { type: "string", multiple: true },
    expires: { type: "string" },
    network: { type: "string", multiple: true },
  },
  async run(call) {
    const [action = "list"] = call.positionals;
    if (!["list", "create", "revoke"].includes(action)) {
      throw new CommandError(`expects list, create or revoke, got "${action}"`);
    }
    const galley = await reach(call);
    try {
      if (action === "list") {
        const { keys } = await sendJson<{ keys: Key[] }>(galley, "GET", BASE);
        if (keys.length === 0 && !call.json) call.print("No keys yet.");
        for (const key of keys) call.print(call.json ? JSON.stringify(key) : describe(key));
      } else if (action === "create") {
        const body = { name: needed(call, 1, "name"), scopes: call.values.scope ?? ["*"], ...restrictions(call) };
        const made = await sendJson<{ key: Key; secret: string }>(galley, "POST", BASE, body);
        if (call.json) call.print(JSON.stringify(made));
        else call.print(`${made.secret}\n\nKeep it now: it is not shown again. Its id is ${made.key.id}.`);
      } else {
        const id = needed(call, 1, "id");
        await sendJson(galley, "DELETE", `${BASE}/${encodeURIComponent(id)}`);
        call.print(call.json ? JSON.stringify({ revoked: id }) : `Revoked ${id}.`);
      }
    } finally {
      await galley.close();
    }
  },
};

function restrictions(call: Parameters<Command["run"]>[0]): object {
  const expires = textOption(call, "expires");
  const networks = call.values.network;
  if (expires !== undefined && expires !== "never" && Number.isNaN(Date.parse(expires))) {
    throw new CommandError(`--expires: expects a date like 2027-01-31, or never; got ${JSON.stringify(expires)}`);
  }
  return {
    ...(expires === undefined ? {} : { expiresAt: expires === "never" ? null : new Date(expires).toISOString() }),
    ...(networks === undefined ? {} : { networks }),
  };
}

function describe(key: Key): string {
  const expiry = key.expiresAt ? `until ${key.expiresAt.slice(0, 10)}` : "never expires";
  const used = key.lastUsedAt ? `last used ${key.lastUsedAt}` : "not used yet";
  return `${key.id}  ${key.name}: ${key.scopes.join(" ")} (${expiry}, ${used})`;
}
