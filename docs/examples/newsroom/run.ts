import { runNewsroom } from "./newsroom.ts";

const url = process.env.GALLEY_URL ?? "http://127.0.0.1:4600";
const serviceKey = process.env.GALLEY_SERVICE_KEY;
if (!serviceKey) throw new Error("set GALLEY_SERVICE_KEY; `npm run galley -- keys create newsroom` makes a key");
await runNewsroom({ url, serviceKey, log: (line) => console.log(line) });
