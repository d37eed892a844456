/** Galley on the folder DYING_FOLDER, which kills itself at the pause that DIE_AT names: for fault cases of a HOOK. */
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
let armed = false;
const app = await createApp(config, {
  pause: (at) => {
    if (armed && at === process.env.DIE_AT) process.kill(process.pid, "SIGKILL");
  },
});
console.log((await app.listen()).url);
armed = true;
