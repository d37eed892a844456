import { useSyncExternalStore } from "react";
import type { Connection } from "../types/live.ts";
import { useClient } from "./provider.ts";

/**
 * How the socket is that all live results of the client share.
 *
 * @example const isOffline = useConnection() === "waiting";
 */
export function useConnection(): Connection["status"] {
  const { connection } = useClient("useConnection");
  return useSyncExternalStore(
    connection.onChange,
    () => connection.status,
    () => "off",
  );
}
