import { PassThrough } from "node:stream";
import t from "tap";
import { createLog } from "../../server/log.ts";

const HOSTILE = 'x\r\nINFO forged\u001b[31m red \u0085 \u2028 "quoted"';

async function logged(format: "json" | "pretty", write: (log: Awaited<ReturnType<typeof createLog>>) => void) {
  const stream = new PassThrough();
  const log = await createLog({ logLevel: "info", logFormat: format }, stream);
  write(log);
  return String(stream.read() ?? "");
}

for (const format of ["json", "pretty"] as const) {
  t.test(`${format}: one line an event, whatever its text holds`, async (t) => {
    const text = await logged(format, (log) => {
      const err = new Error(HOSTILE, { cause: new Error(HOSTILE) });
      log.warn({ name: HOSTILE, nested: { userAgent: HOSTILE }, err }, `hello ${HOSTILE}`);
    });
    // Not the text itself as the message: what is in it, the runner would take for its own.
    t.equal(text.split("\n").length, 2);
    t.notMatch(text.trimEnd(), /[\p{Cc}\u2028]/u, "no control character");
    t.match(text, /hello/);
  });

  t.test(`${format}: secrets are redacted, at the top and one level down`, async (t) => {
    const secrets = ["authorization", "cookie", "token", "key", "secret", "password", "code"];
    const event = Object.fromEntries(secrets.map((name) => [name, `canary-${name}`]));
    const text = await logged(format, (log) => log.warn({ ...event, request: { ...event } }, "refused"));
    t.notMatch(text, /canary/);
    t.match(text, /redacted/);
  });

  t.test(`${format}: an error shows its causes`, async (t) => {
    const error = new Error("outer", { cause: new Error("inner\nsecond line") });
    const text = await logged(format, (log) => log.error({ err: error }, "failed"));
    t.match(text, /outer/);
    t.match(text, /inner/);
  });
}

t.test("what is below the level is not written", async (t) => {
  t.equal(await logged("json", (log) => log.debug({}, "quiet")), "");
});
