import { GalleyError } from "#protocol/errors";
import type { Replies } from "../reply.ts";
import type { Call, Route } from "../route.ts";
import { listStaticFiles, type StaticFile, sendStaticFile } from "../static-files.ts";

const CSP =
  "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob: data:; media-src 'self' blob:; font-src 'self'; connect-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'";
const HEADERS = ["cross-origin-opener-policy", "same-origin"];
/** Vite names these after their content, so they never change. */
const HASHED = /^assets\/.*-[A-Za-z0-9_-]{8,}\.\w+$/;

/** The admin console's built files; `/` leads there. */
export function consoleRoutes(replies: Replies, folder: string): Route[] {
  let files: ReadonlyMap<string, StaticFile> | undefined;
  const shared = { method: "GET", tag: "Console", open: true, cache: "own", authorize: () => undefined } as const;
  const redirect = {
    undescribed: true,
    replies: { 302: { description: "The console", headers: ["location"] } },
    errors: [],
    answer: ({ reply }: Call<undefined>) => {
      replies.empty(reply, 302, ["location", "/console/", "cache-control", "no-cache"]);
    },
  } as const;
  const page = {
    replies: { 200: { description: "A page, or one of its files", type: "text/html", headers: ["etag"] } },
    errors: ["not_found"],
    answer({ params, reply }: Call<undefined>) {
      files ??= listStaticFiles(folder);
      const path = params["*"] ?? "";
      const file = files.get(path === "" ? "index.html" : path);
      if (file === undefined) {
        const built = files.size > 0;
        throw new GalleyError(
          "not_found",
          built ? "there is no such page" : "the console is not built: run `npm run build`",
        );
      }
      const cacheControl = HASHED.test(path) ? "public, max-age=31536000, immutable" : "no-cache";
      sendStaticFile(replies, reply, file, cacheControl, HEADERS, CSP);
    },
  } as const;
  const mailPage = {
    ...page,
    errors: [],
    // One page for all: which it is, it reads from its address.
    answer: (call: Call<undefined>) => page.answer({ ...call, params: { ...call.params, "*": "auth.html" } }),
  } as const;
  return [
    { ...shared, ...mailPage, path: "/auth/verify", summary: "Where a mailed link proves an address" },
    { ...shared, ...mailPage, path: "/auth/reset", summary: "Where a mailed link sets a new password" },
    { ...shared, ...mailPage, path: "/auth/invite", summary: "Where an invitation is taken up" },
    { ...shared, ...mailPage, path: "/auth/set-up", summary: "Where the first owner is made" },
    { ...shared, ...redirect, path: "/", summary: "Leads to the console" },
    { ...shared, ...redirect, path: "/console", summary: "Leads to the console" },
    { ...shared, ...page, path: "/console/", summary: "The admin console" },
    { ...shared, ...page, path: "/console/*", summary: "One of the console's files", undescribed: true },
  ];
}
