import { useMutation } from "@galley/sdk/react";
import { type FormEvent, useRef } from "react";
import { db } from "./db.ts";
import { Fault } from "./fault.tsx";
import { addressOf } from "./use-open-room.ts";

/** Founds a room. */
export function NewRoom({ me }: { me: string }) {
  const dialog = useRef<HTMLDialogElement>(null);
  const { run, pending, error, reset } = useMutation(async (name: string) => {
    const room = crypto.randomUUID();
    // Together or not at all: a room without members would be nobody's.
    await db.batch((batch) => {
      batch.collection("rooms").create({ _id: room, name, founder: me });
      batch.collection("members").create({ room, user: me });
    });
    location.hash = addressOf(room);
    dialog.current?.close();
  });

  function submit(event: FormEvent<HTMLFormElement>) {
    event.preventDefault();
    const name = String(new FormData(event.currentTarget).get("name")).trim();
    if (name) void run(name);
  }

  return (
    <>
      <button type="button" className="round" aria-label="New room" onClick={() => dialog.current?.showModal()}>
        +
      </button>
      <dialog ref={dialog} aria-label="New room" onClose={reset}>
        <form onSubmit={submit}>
          <h2>New room</h2>
          <label>
            Name
            <input name="name" required maxLength={60} autoComplete="off" placeholder="Tea kitchen" />
          </label>
          <Fault error={error} />
          <div className="buttons">
            <button type="button" onClick={() => dialog.current?.close()}>
              Cancel
            </button>
            <button type="submit" className="primary" disabled={pending}>
              Create
            </button>
          </div>
        </form>
      </dialog>
    </>
  );
}
