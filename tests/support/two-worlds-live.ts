/** What one caller is told over a socket, in a form in which two worlds are compared. */
import { applyDelta } from "#protocol/delta";
import type { Delta } from "#protocol/frames";
import { enterLive } from "./live-client.ts";
import type { LiveOutlet, Row } from "./live-outlet.ts";

export interface Follower {
  /** Asks live; what is computed only once, since how often it is computed again is the clock's to say. */
  ask(query: object): Promise<void>;
  /** What each subscription was told, in order, once everything up to a position has come. */
  told(position: string | undefined): Promise<string>;
  /** All that came, as it came. */
  raw(): string;
  close(): void;
}

/** P15 excepts versions and their times: that something changed which cannot be seen. */
const EXCEPTED = /"_v":\d+|"_updatedAt":(\{"\$date":)?"[^"]*"|"requestId":"[^"]*"/g;
const bare = (value: unknown) => (JSON.stringify(value) ?? "").replace(EXCEPTED, "");

export async function openFollower(url: string, token: string): Promise<Follower> {
  const client = await enterLive(url, token);
  let s = 0;
  /** Its answer comes behind those of all that was asked before it, or has to be asked anew. */
  const fence = async () => {
    s = client.find("posts", { filter: { _id: `fence-${s}` } });
    await client.answered(s);
    client.say({ t: "unsub", s });
  };
  return {
    async ask(query) {
      s = client.sub(query);
      const { error } = await client.answered(s);
      if (error === undefined && !("find" in query)) client.say({ t: "unsub", s });
    },
    async told(position) {
      const beats = () => client.all("beat");
      do {
        const count = beats().length + 1;
        client.say({ t: "ping" });
        await client.got("beat", count);
      } while (position !== undefined && beats().at(-1).pos < position && client.closed === undefined);
      await fence();
      return toldOf(client);
    },
    raw: () => client.told(),
    close: () => client.session.end(),
  };
}

/** Frames as lines of the subscriptions that they concern: windows by no name, and nothing that only moved a version. */
function toldOf({ frames, complaints, closed }: LiveOutlet): string {
  const lines = new Map<number, string[]>();
  const rows = new Map<number, readonly Row[]>();
  const windows = new Map<string, Set<number>>();
  const note = (s: number, line: string) => lines.set(s, [...(lines.get(s) ?? []), line]);
  for (const { t, s, w, pos: _pos, at: _at, ...rest } of frames) {
    if (t === "commit") {
      for (const [window, change] of Object.entries<Delta<Row>>(w)) {
        const { prev: _prev, ...delta } = change;
        for (const one of windows.get(window) ?? []) {
          const held = rows.get(one) ?? [];
          const isSame = ([index, row]: readonly [number, Row]) => bare(held[index]) === bare(row);
          const now = applyDelta(held, change);
          rows.set(one, now);
          const seen = delta.up?.every(isSame) && delta.rm === undefined && delta.more === undefined;
          if (!seen) note(one, bare(delta));
        }
      }
    } else if (s !== undefined) {
      note(s, `${t} ${bare(rest)}`);
      for (const shown of windows.values()) shown.delete(s);
      if (w !== undefined) windows.set(w, (windows.get(w) ?? new Set()).add(s));
      if (t === "snapshot") rows.set(s, rest.rows);
    }
  }
  const all = [...lines].map(([s, told]) => `${s}: ${told.join("\n   ")}`);
  return [...all, ...complaints, JSON.stringify(closed)].join("\n");
}
