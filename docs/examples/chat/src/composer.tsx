import { type FormEvent, type KeyboardEvent, useState } from "react";
import { say } from "./outbox.ts";
import { useTypingSignal } from "./use-typing-signal.ts";

/** Where messages are written. Enter sends, with Shift it begins a new line. */
export function Composer({ room, me }: { room: string; me: string }) {
  const [text, setText] = useState("");
  const signal = useTypingSignal(room, me);
  const isEmpty = text.trim() === "";

  function submit(event: FormEvent) {
    event.preventDefault();
    if (isEmpty) return;
    say(room, me, text.trim());
    write("");
  }

  function write(next: string) {
    setText(next);
    if (next.trim() === "") signal.done();
    else signal.typed();
  }

  function onKeyDown(event: KeyboardEvent<HTMLTextAreaElement>) {
    // Enter also ends what an input method composes.
    if (event.key === "Enter" && !event.shiftKey && !event.nativeEvent.isComposing) submit(event);
  }

  return (
    <form className="composer" onSubmit={submit}>
      <textarea
        aria-label="Message"
        placeholder="Say something"
        rows={1}
        value={text}
        onChange={(event) => write(event.target.value)}
        onKeyDown={onKeyDown}
      />
      <button type="submit" className="round primary" aria-label="Send" disabled={isEmpty}>
        ➤
      </button>
    </form>
  );
}
