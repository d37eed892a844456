import type { Doc } from "@galley/sdk";
import { useLive } from "@galley/sdk/react";
import { messages } from "./db.ts";
import type { Schema } from "./galley";
import { addressOf } from "./use-open-room.ts";

const MOST = 99;

interface Props {
  readonly room: Doc<Schema["rooms"]>;
  readonly me: string;
  readonly isOpen: boolean;
  /** Until when it has been read; null: never; undefined: not known yet. */
  readonly readAt: Date | null | undefined;
}

/** A room in the list, with the live count of what others have said since it was read. */
export function RoomLink({ room, me, isOpen, readAt }: Props) {
  const unread = messages.find({
    room: room._id,
    author: { $ne: me },
    ...(readAt && { _createdAt: { $gt: readAt } }),
  });
  const { data } = useLive(!isOpen && readAt !== undefined && unread.count({ cap: MOST }));
  return (
    <li>
      <a href={addressOf(room._id)} aria-current={isOpen ? "page" : undefined}>
        <span className="name">{room.name}</span>
        {data && data.count > 0 && (
          <span className="badge">
            {data.count}
            {data.more && "+"}
            <span className="unseen"> unread</span>
          </span>
        )}
      </a>
    </li>
  );
}
