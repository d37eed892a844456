import { type Command, CommandError, needed, textOption } from "./command.ts";
import { reach, sendJson } from "./reach.ts";

const ADMINS = "/v1/admin/settings/admins";
const ROLES = ["owner", "editor", "viewer"];

export const command: Command = {
  usage: "admin create <email> [--role owner|editor|viewer] | reset <email>",
  help: `Lets people into the console, from this machine. Both print a link, which works once.

  create <email>   makes an admin, who sets a password by the link within 7 days
  reset <email>    lets an admin who lost the password set a new one, within 30 minutes

  --role <role>    owner (the default) may do everything, editor changes data, rules and users, viewer looks`,
  positionals: 2,
  options: { role: { type: "string" } },
  async run(call) {
    const [action] = call.positionals;
    if (action !== "create" && action !== "reset") {
      throw new CommandError(`expects create or reset, got ${action === undefined ? "nothing" : `"${action}"`}`);
    }
    const email = needed(call, 1, "email");
    const role = textOption(call, "role") ?? "owner";
    if (!ROLES.includes(role))
      throw new CommandError(`--role: expects ${ROLES.join(", ")}; got ${JSON.stringify(role)}`);
    const galley = await reach(call);
    try {
      const [path, body] = action === "create" ? [ADMINS, { email, role }] : [`${ADMINS}/reset`, { email }];
      const made = await sendJson<{ link: string }>(galley, "POST", path, body);
      call.print(call.json ? JSON.stringify(made) : `Open this link, it works once:\n${made.link}`);
    } finally {
      await galley.close();
    }
  },
};
