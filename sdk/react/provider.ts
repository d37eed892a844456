import { createContext, createElement, type ReactElement, type ReactNode, useContext } from "react";
import type { Client } from "../types/client.ts";

/** A client of any schema. */
type Provided = Pick<Client, "auth" | "connection">;

const ClientContext = createContext<Provided | undefined>(undefined);

/**
 * Hands a client to the hooks that ask for no collection: `useAuth` and `useConnection`.
 *
 * @example createRoot(root).render(<GalleyProvider client={db}><App /></GalleyProvider>);
 */
export function GalleyProvider({ client, children }: { client: Provided; children?: ReactNode }): ReactElement {
  return createElement(ClientContext.Provider, { value: client }, children);
}

/** @param hook who asks, for the error */
export function useClient(hook: string): Provided {
  const client = useContext(ClientContext);
  if (!client) throw new Error(`${hook}: put <GalleyProvider client={db}> around the components that use it`);
  return client;
}
