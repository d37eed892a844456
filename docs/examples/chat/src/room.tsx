import { useDocument, useLive } from "@galley/sdk/react";
import { Composer } from "./composer.tsx";
import { members, rooms } from "./db.ts";
import { Messages } from "./messages.tsx";
import { People } from "./people.tsx";
import { TypingLine } from "./typing-line.tsx";
import { addressOf } from "./use-open-room.ts";

/** One room: who is there, what is said, and a place to say something. */
export function Room({ id, me }: { id: string; me: string }) {
  const { data: room, error } = useDocument(rooms, id);
  const { data: people = [] } = useLive(members.find({ room: id }, { expand: ["user"], limit: 200 }));
  if (error || room === null) {
    return (
      <main className="room empty">
        <p>There is no such room, or you are not in it.</p>
        <a href={addressOf()}>All rooms</a>
      </main>
    );
  }
  return (
    <main className="room" aria-busy={!room}>
      <header>
        <a className="back" href={addressOf()} aria-label="All rooms">
          ‹
        </a>
        <h2>{room?.name}</h2>
        <People room={id} me={me} people={people} />
      </header>
      <Messages room={id} me={me} />
      <TypingLine room={id} me={me} />
      <Composer room={id} me={me} />
    </main>
  );
}
