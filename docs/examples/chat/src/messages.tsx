import { usePages } from "@galley/sdk/react";
import { messages } from "./db.ts";
import { Fault } from "./fault.tsx";
import { type Line, Message } from "./message.tsx";
import { Older } from "./older.tsx";
import { type Outgoing, useOutbox } from "./outbox.ts";
import { useKeptPlace } from "./use-kept-place.ts";
import { useReadMark } from "./use-read-mark.ts";

const PAGE = 50;
const MINUTES = 60_000;

/** What is said in a room, oldest first. The list is asked for from its end, which is also where the scrolling begins. */
export function Messages({ room, me }: { room: string; me: string }) {
  const question = messages.find({ room }, { sort: "-_createdAt", expand: ["author"] });
  const { data, more, loadMore, error } = usePages(question, { size: PAGE });
  const outgoing = useOutbox(room);
  useReadMark(room, me, data?.find(({ author }) => author !== me)?._createdAt);
  const lines = linesOf(data ?? [], outgoing);
  const newest = lines.at(-1);
  const list = useKeptPlace(newest?._id, newest?.author === me);
  return (
    <div className="messages" ref={list}>
      {/* Above it what is older may grow: the list that scrolls is laid out from its end (style/room.css). */}
      <div className="lines">
        {more && <Older loadMore={loadMore} />}
        <ol role="log" aria-label="Messages">
          {lines.map((line, i) => (
            <Message
              key={line._id}
              line={line}
              isMine={line.author === me}
              isFirst={!follows(line, lines[i - 1])}
              isNewDay={dayOf(line) !== dayOf(lines[i - 1])}
            />
          ))}
        </ol>
        {data && lines.length === 0 && <p className="hint">Nothing has been said yet.</p>}
        <Fault error={error} />
      </div>
    </div>
  );
}

interface Said {
  readonly _id: string;
  readonly author: string;
  readonly text: string;
  readonly _createdAt: Date;
  readonly _expanded: { readonly author: { readonly name: string } | null };
}

/** What is stored, or shown as if it were, and then what still waits. */
function linesOf(said: readonly Said[], outgoing: readonly Outgoing[]): Line[] {
  const waiting = new Set(outgoing.map(({ _id }) => _id));
  const shown = new Set(said.map(({ _id }) => _id));
  return [
    ...said.map(({ _id, author, text, _createdAt, _expanded }) => ({
      ...{ _id, author, text, at: _createdAt, isWaiting: waiting.has(_id) },
      name: _expanded.author?.name ?? "Somebody who has gone",
    })),
  ]
    .reverse()
    .concat(
      outgoing
        .filter(({ _id }) => !shown.has(_id))
        .map((message) => ({ ...message, name: "You", isWaiting: message.refused === undefined })),
    );
}

/** Whether a message goes on where the one before it ended. */
function follows(line: Line, before: Line | undefined): boolean {
  return before?.author === line.author && line.at.getTime() - before.at.getTime() < 5 * MINUTES;
}

function dayOf(line: Line | undefined): string | undefined {
  return line?.at.toDateString();
}
