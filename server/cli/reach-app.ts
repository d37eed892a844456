import { createApp, inspectDatabase } from "../app.ts";
import { type Config, ConfigError, readConfig } from "../config.ts";
import { type Call, CommandError } from "./command.ts";
import type { Reach } from "./reach.ts";

/** Starts the app on its data folder without listening, for a command that found no running server. */
export async function withinProcess(call: Call, folder: string): Promise<Reach> {
  const config = configOf(call, folder);
  const app = await createApp(config).catch((error: Error) => {
    throw new CommandError(error.message);
  });
  return {
    where: folder,
    send: async ({ method, path, body, type }) => {
      const headers: Record<string, string> = { authorization: `Bearer ${app.key}` };
      if (body !== undefined) headers["content-type"] = type ?? "application/json";
      const reply = await app.request({ method, path, headers, ...(body === undefined ? {} : { body }) });
      const { date } = reply.headers;
      return { status: reply.status, body: reply.body, ...(typeof date === "string" ? { date } : {}) };
    },
    close: () => app.close(),
  };
}

/** Looks at the database that this command's environment names; undefined if it names none. */
export function databaseOf(call: Call, folder: string): ReturnType<typeof inspectDatabase> {
  return inspectDatabase(configOf(call, folder));
}

function configOf(call: Call, folder: string): Config {
  try {
    return readConfig({
      mode: "production",
      flags: { "data-dir": folder },
      env: { ...call.env, GALLEY_LOG_LEVEL: call.env.GALLEY_LOG_LEVEL ?? "error" },
    });
  } catch (error) {
    throw error instanceof ConfigError ? new CommandError(error.message) : error;
  }
}
