/**
 * L8: argon2id verifications with the parameters that accounts have, so many in flight, and nothing else: no queue, no
 * store, no HTTP but the question for how long, `/?milliseconds=`.
 */
import { createServer } from "node:http";
import { hash, verify } from "@node-rs/argon2";
import { tellAddress } from "./tell-address.ts";

const PASSWORD = "plum-orbit-lantern-42";
const stored = await hash(PASSWORD, { memoryCost: 19 * 1024, timeCost: 2, parallelism: 1, outputLen: 32 });
const atOnce = Number(process.env.BENCH_AT_ONCE);

const server = createServer(async (request, reply) => {
  const milliseconds = Number(new URL(request.url ?? "", "http://ceiling").searchParams.get("milliseconds"));
  const began = performance.now();
  let verified = 0;
  const verifyOn = async () => {
    while (performance.now() - began < milliseconds) if (await verify(stored, PASSWORD)) verified++;
  };
  await Promise.all(Array.from({ length: atOnce }, verifyOn));
  reply.end(JSON.stringify({ verified, seconds: (performance.now() - began) / 1000 }));
});
server.listen(0, "127.0.0.1", () => tellAddress(server));
