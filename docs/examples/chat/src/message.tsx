import { Avatar } from "./avatar.tsx";
import { drop, sayAgain } from "./outbox.ts";

export interface Line {
  readonly _id: string;
  readonly author: string;
  readonly name: string;
  readonly text: string;
  readonly at: Date;
  /** On its way. */
  readonly isWaiting: boolean;
  /** Why the server did not take it. */
  readonly refused?: string;
}

interface Props {
  readonly line: Line;
  readonly isMine: boolean;
  /** Of several of the same author in a row. */
  readonly isFirst: boolean;
  readonly isNewDay: boolean;
}

const TIME = new Intl.DateTimeFormat(undefined, { timeStyle: "short" });
const DAY = new Intl.DateTimeFormat(undefined, { dateStyle: "full" });

/** One message. */
export function Message({ line, isMine, isFirst, isNewDay }: Props) {
  const { _id, author, name, text, at, isWaiting, refused } = line;
  const state = refused === undefined ? (isWaiting ? "waiting" : "sent") : "refused";
  return (
    <>
      {isNewDay && (
        <li className="day">
          <time dateTime={at.toISOString()}>{DAY.format(at)}</time>
        </li>
      )}
      <li className="message" data-mine={isMine} data-first={isFirst || isNewDay} data-state={state} data-id={_id}>
        {!isMine && (isFirst || isNewDay) && <Avatar id={author} name={name} />}
        <p className="author">
          {isMine ? "You" : name} <time dateTime={at.toISOString()}>{TIME.format(at)}</time>
        </p>
        <p className="text">{text}</p>
        {isWaiting && <p className="state">Sending…</p>}
        {refused !== undefined && (
          <p className="state" role="alert">
            Not sent: {refused}
            <button type="button" className="link" onClick={() => sayAgain(_id)}>
              Try again
            </button>
            <button type="button" className="link" onClick={() => drop(_id)}>
              Drop
            </button>
          </p>
        )}
      </li>
    </>
  );
}
