import { useAuth } from "@galley/sdk/react";
import { ConnectionBar } from "./connection-bar.tsx";
import { Room } from "./room.tsx";
import { Sidebar } from "./sidebar.tsx";
import { SignIn } from "./sign-in.tsx";
import { useOpenRoom } from "./use-open-room.ts";

/** Somebody's chat, or the way in. */
export function App() {
  const { user, loading } = useAuth();
  if (loading) return null;
  // Somebody else begins anew.
  return user ? <Chat key={user.id} me={user.id} /> : <SignIn />;
}

/** The rooms beside the open one; on a narrow screen one of both. */
function Chat({ me }: { me: string }) {
  const room = useOpenRoom();
  return (
    <div className="chat" data-open={room !== undefined}>
      <ConnectionBar />
      <Sidebar me={me} open={room} />
      {room ? (
        <Room key={room} id={room} me={me} />
      ) : (
        <main className="room empty">
          <p>Choose a room, or found one.</p>
        </main>
      )}
    </div>
  );
}
