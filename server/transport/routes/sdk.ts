import { join } from "node:path";
import { GalleyError } from "#protocol/errors";
import type { Replies } from "../reply.ts";
import type { Call, Route } from "../route.ts";
import { readStaticFile, type StaticFile, sendStaticFile } from "../static-files.ts";

/** Any page may import the SDK; browsers refuse a cross-origin module that does not say so. */
const ANY_ORIGIN = ["cross-origin-resource-policy", "cross-origin"];

/** The SDK as this server speaks it, so that client and server never differ by a version. */
export function sdkRoutes(replies: Replies, folder: string): Route[] {
  return [
    file("galley.js", "The SDK as one ES module", "text/javascript"),
    file("galley.tgz", "The SDK as an npm package: `npm install <this address>`", "application/gzip"),
  ];

  function file(name: string, summary: string, type: string): Route {
    let found: StaticFile | undefined;
    return {
      method: "GET",
      path: `/sdk/${name}`,
      summary,
      tag: "SDK",
      open: true,
      cache: "own",
      replies: {
        200: { description: "The file", type, headers: ["etag"] },
        304: { description: "It is what If-None-Match names", headers: ["etag"] },
      },
      errors: ["not_found"],
      authorize: () => undefined,
      answer({ reply }: Call<undefined>) {
        found ??= readStaticFile(join(folder, name));
        if (found === undefined) throw new GalleyError("not_found", "the SDK is not built: run `npm run build`");
        // The address stays the same when the server is upgraded, so a day, then a question by ETag.
        sendStaticFile(replies, reply, found, "public, max-age=86400, stale-while-revalidate=604800", ANY_ORIGIN);
      },
    };
  }
}
