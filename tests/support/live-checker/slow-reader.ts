/** A client that is too slow: more is written for it than a server keeps for anybody who does not read. */
import type { Send } from "./load.ts";
import { getQuestion } from "./question.ts";
import type { Subscriber } from "./subscriber.ts";

/** Many times what a server keeps, because the network keeps some too: how much is the system's to say. */
const WRITES = 32;
const TEXT = "x".repeat(250_000);

/** It stops reading until it is closed with 4408, and comes back. @returns whether it was there to do so */
export async function outrun(subscriber: Subscriber, send: Send): Promise<boolean> {
  const id = subscriber.name.replaceAll(" ", "-");
  const path = `/v1/documents/bulk/${id}`;
  const wasOutrun = await subscriber.beOutrun(getQuestion("bulk", [id]), async () => {
    for (let n = 0; n < WRITES; n++) await send("PUT", path, { n, text: TEXT });
  });
  await send("DELETE", path);
  return wasOutrun;
}
