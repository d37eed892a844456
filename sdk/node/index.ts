/** The SDK as Node loads it: the same, only that requests go out by Node's own client. */
import { createClient as create } from "../index.ts";
import { nodeFetch } from "./fetch.ts";

export * from "../index.ts";

export const createClient: typeof create = (options) => create({ fetch: nodeFetch, ...options });
