import { setTimeout as wait } from "node:timers/promises";
import { ERRORS, GalleyError } from "#protocol/errors";
import { type App, createApp } from "./app.ts";
import { type ConfigSources, readConfig } from "./config.ts";

const RETRY_MILLISECONDS = 1000;

/**
 * Runs Galley until it is told to stop, by SIGTERM or SIGINT, and has answered what was in flight. A second signal does
 * not wait. An error that nobody caught ends the process with one line: what it left behind cannot be trusted.
 *
 * @throws ConfigError, or an Error in one line that says why it cannot start
 */
export async function serve(sources: ConfigSources): Promise<void> {
  const config = readConfig(sources);
  const app = await createApp(config);
  process.once("uncaughtException", (error) => endWith(app, error));
  process.once("unhandledRejection", (error) => endWith(app, error));
  const stopped = stopSignal();
  try {
    const { url } = await app.listen();
    const { mode, dataDir } = config;
    app.log.info(
      { mode, dataDir, console: `${url}/console/` },
      `Galley listens on ${url}, its console is at ${url}/console/`,
    );
    void tellSetUpLink(app);
    const signal = await stopped;
    app.log.info({ signal }, "stopping: answering what is in flight");
  } finally {
    await app.close();
  }
  app.log.info({}, "stopped");
}

/** Tells how the first owner comes in, once the store answers. */
async function tellSetUpLink({ log, setUpLink }: App): Promise<void> {
  for (;;) {
    try {
      const link = await setUpLink();
      if (link !== undefined) log.info({}, `Set-up link (works once): ${link}`);
      return;
    } catch (error) {
      if (!(error instanceof GalleyError && ERRORS[error.code].retryable)) {
        log.warn({ err: error }, "the set-up link cannot be made; `galley admin create` makes the first owner");
        return;
      }
    }
    await wait(RETRY_MILLISECONDS, undefined, { ref: false });
  }
}

function stopSignal(): Promise<NodeJS.Signals> {
  return new Promise((resolve) => {
    for (const signal of ["SIGTERM", "SIGINT"] as const) {
      process.once(signal, () => {
        resolve(signal);
        process.once(signal, () => process.exit(1));
      });
    }
  });
}

function endWith({ log }: App, error: unknown): void {
  log.error({ err: error }, "an error that nobody caught: the process ends");
  process.exit(1);
}
