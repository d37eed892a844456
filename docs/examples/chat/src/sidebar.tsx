import { useAuth, useDocument, useLive } from "@galley/sdk/react";
import { Avatar } from "./avatar.tsx";
import { reads, rooms, users } from "./db.ts";
import { NewRoom } from "./new-room.tsx";
import { RoomLink } from "./room-link.tsx";

/** As many as one socket can keep counts of, and more than anybody reads. */
const MOST_ROOMS = 100;

/** The rooms that somebody is in: the rules leave out all others. */
export function Sidebar({ me, open }: { me: string; open: string | undefined }) {
  const { auth } = useAuth();
  const { data: all } = useLive(rooms.find({}, { sort: "name", limit: MOST_ROOMS }));
  const { data: profile } = useDocument(users, me);
  const { data: marks } = useDocument(reads, me);
  const name = profile?.name ?? "You";
  return (
    <aside className="sidebar">
      <header>
        <h1>Rooms</h1>
        <NewRoom me={me} />
      </header>
      <nav aria-label="Rooms">
        <ul>
          {all?.map((room) => (
            <RoomLink
              key={room._id}
              room={room}
              me={me}
              isOpen={room._id === open}
              // Undefined until it is known, null for never.
              readAt={marks === undefined ? undefined : (marks?.rooms[room._id] ?? null)}
            />
          ))}
        </ul>
        {all?.length === 0 && <p className="hint">You are in no room yet. Found one, or have somebody bring you in.</p>}
      </nav>
      <footer>
        <Avatar id={me} name={name} />
        <span className="who">
          {name} <small>{profile && `@${profile.handle}`}</small>
        </span>
        <button type="button" className="link" onClick={() => auth.signOut()}>
          Sign out
        </button>
      </footer>
    </aside>
  );
}
