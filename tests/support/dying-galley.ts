/** Galley on the folder DYING_FOLDER, which kills itself at the pause that DIE_AT names: for fault cases of a HOOK. */
import { existsSync, readFileSync } from "node:fs";
import { createApp } from "../../server/app.ts";
import { readConfig } from "../../server/config.ts";
import { PROCESS_KEY } from "./server-process.ts";

const config = readConfig({
  mode: "production",
  env: {
    GALLEY_DATA_DIR: process.env.DYING_FOLDER,
    GALLEY_PORT: "0",
    GALLEY_SERVICE_KEY: PROCESS_KEY,
    GALLEY_LOG_LEVEL: "error",
  },
});
/** A file that says when, in pauses that are still let through; without DIE_ORDERS it dies at the first after its start. */
const orders = process.env.DIE_ORDERS;
let armed = false;
let passed = 0;

function isTime(): boolean {
  if (!armed || orders === undefined) return armed;
  return existsSync(orders) && passed++ >= Number(readFileSync(orders, "utf8"));
}

const app = await createApp(config, {
  pause: (at) => {
    if (at === process.env.DIE_AT && isTime()) process.kill(process.pid, "SIGKILL");
  },
});
console.log((await app.listen()).url);
armed = true;
