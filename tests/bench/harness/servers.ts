import type { Served } from "./process.ts";

/** Ends every server that `run` has handed to `serve`, however it ends itself. */
export async function withServers<T>(run: (serve: (starting: Promise<Served>) => Promise<Served>) => Promise<T>) {
  const servers: Served[] = [];
  const serve = async (starting: Promise<Served>) => {
    const server = await starting;
    servers.push(server);
    return server;
  };
  try {
    return await run(serve);
  } finally {
    await Promise.all(servers.map((server) => server.end("SIGTERM")));
  }
}
