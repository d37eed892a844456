/** Live results through the SDK itself, each state that its callback is given written down. */
import { ApiError, type Client, createClient, type LiveState } from "@galley/sdk";
import { WebSocket as NodeSocket } from "ws";
import { encodeValue, type Value } from "#protocol/values";
import type { SdkTranscript, ToldState } from "./checked-sdk.ts";
import type { Question } from "./question.ts";
import type { Shown } from "./transcript.ts";
import type { Who } from "./world.ts";

const WebSocket = NodeSocket as unknown as typeof globalThis.WebSocket;

export interface SdkSubscriber {
  readonly who: Who;
  readonly transcripts: SdkTranscript[];
  watch(question: Question): void;
  /** Whether all results are in step. */
  readonly isSynced: boolean;
  /** Loses its connection for a moment, as in a background. */
  blink(): void;
  close(): Promise<void>;
}

/** @param who the full key, or a guest that it becomes */
export async function openSdkSubscriber(
  name: string,
  url: string,
  as: { readonly serviceKey: string; readonly who: Who } | undefined,
): Promise<SdkSubscriber> {
  const client: Client = createClient({ url, WebSocket, ...(as && { serviceKey: as.serviceKey }) });
  const who = as ? as.who : (await client.auth.signInAsGuest()).id;
  const transcripts: SdkTranscript[] = [];
  const live: { readonly state: LiveState<unknown>; close(): void }[] = [];
  return {
    who,
    transcripts,
    watch(question) {
      const { collection } = question;
      const events: ToldState[] = [];
      transcripts.push({ name: `${name} ${transcripts.length}`, who, question, events });
      const { filter, ...options } = (question.query as { find: { filter: object } }).find;
      const found = client.collection(collection).find(filter as never, options as never);
      const result = found.live((state) => events.push(toldOf(state as LiveState<readonly Shown[]>)));
      result.ready.catch(() => {});
      live.push(result);
    },
    get isSynced() {
      return live.every(({ state }) => state.synced || state.error !== undefined);
    },
    blink() {
      client.connection.pause();
      client.connection.resume();
    },
    async close() {
      for (const result of live) result.close();
      client.close();
    },
  };
}

function toldOf({ position, synced, data, changes, error }: LiveState<readonly Shown[]>): ToldState {
  return {
    position,
    synced,
    rows: data?.map((row) => jsonOf(row)),
    changes: changes.map(({ type, id, from, to }) => ({ type, id, from, to })),
    error: error && (ApiError.is(error) ? error.code : String(error)),
  };
}

const texts = new WeakMap<object, Shown>();

/** A document keeps its identity, so it is written once. */
function jsonOf(row: Shown): Shown {
  const known = texts.get(row) ?? (JSON.parse(encodeValue(row as unknown as Value)) as Shown);
  texts.set(row, known);
  return known;
}
