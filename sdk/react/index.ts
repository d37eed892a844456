"use client";

export { useAuth } from "./auth.ts";
export { useConnection } from "./connection.ts";
export { useDocument, useLive } from "./live.ts";
export { type Mutation, useMutation } from "./mutation.ts";
export { type Pages, usePages } from "./pages.ts";
export { GalleyProvider } from "./provider.ts";
