import { walkThrough } from "./steps.ts";

const url = process.env.GALLEY_URL ?? "http://127.0.0.1:4600";
const outbox = process.env.GALLEY_OUTBOX ?? "data/outbox";
await walkThrough({ url, outbox, log: (line) => console.log(line) });
