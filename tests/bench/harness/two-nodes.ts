import { onEachEngine, type SharedMongod } from "./engines.ts";
import { withFolder } from "./folder.ts";
import type { Served } from "./process.ts";
import type { ReportRow } from "./report.ts";
import { withServers } from "./servers.ts";

export interface TwoNodes {
  readonly nodes: readonly Served[];
  /** Their data folders, in the same order. */
  readonly folders: readonly string[];
}

const SHARED = { GALLEY_SECRET: "the secret that both of the nodes have" };

/** Runs on two processes of Galley with one MongoDB; without one there is nothing to tell. */
export function withTwoNodes(
  mongod: { readonly mongod: SharedMongod },
  start: (folder: string, env: NodeJS.ProcessEnv) => Promise<Served>,
  run: (two: TwoNodes) => Promise<ReportRow[]>,
): Promise<ReportRow[]> {
  return onEachEngine(mongod, async ({ name, folder, env }) => {
    if (name === "sqlite") return [];
    return withFolder((other) =>
      withServers(async (serve) => {
        const folders = [folder, other];
        const nodes: Served[] = [];
        for (const each of folders) nodes.push(await serve(start(each, { ...env, ...SHARED })));
        return run({ nodes, folders });
      }),
    );
  });
}
