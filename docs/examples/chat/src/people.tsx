import { useMutation } from "@galley/sdk/react";
import { useRef } from "react";
import { Avatar } from "./avatar.tsx";
import { members } from "./db.ts";
import { Fault } from "./fault.tsx";
import { Invite } from "./invite.tsx";
import { addressOf } from "./use-open-room.ts";

interface Props {
  readonly room: string;
  readonly me: string;
  readonly people: readonly {
    readonly _id: string;
    readonly user: string;
    readonly _expanded: { readonly user: { readonly name: string; readonly handle: string } | null };
  }[];
}

/** Who is in a room: to bring somebody in, or to leave. */
export function People({ room, me, people }: Props) {
  const dialog = useRef<HTMLDialogElement>(null);
  const mine = people.find(({ user }) => user === me);
  const leave = useMutation(async (membership: string) => {
    // Once this is answered, every live result of the room is empty.
    await members.delete(membership);
    location.hash = addressOf();
  });
  return (
    <>
      <button type="button" className="people" onClick={() => dialog.current?.showModal()}>
        {people.length} {people.length === 1 ? "person" : "people"}
      </button>
      <dialog ref={dialog} aria-label="People in this room">
        <h2>People</h2>
        <ul className="members">
          {people.map(({ _id, user, _expanded: { user: profile } }) => (
            <li key={_id}>
              <Avatar id={user} name={profile?.name ?? "?"} />
              <span className="who">
                {profile?.name ?? "Somebody who has gone"} <small>{profile && `@${profile.handle}`}</small>
              </span>
            </li>
          ))}
        </ul>
        <Invite room={room} />
        <Fault error={leave.error} />
        <div className="buttons">
          <button
            type="button"
            className="danger"
            disabled={!mine || leave.pending}
            onClick={() => mine && leave.run(mine._id)}
          >
            Leave room
          </button>
          <button type="button" onClick={() => dialog.current?.close()}>
            Close
          </button>
        </div>
      </dialog>
    </>
  );
}
