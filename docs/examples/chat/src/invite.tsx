import { ApiError } from "@galley/sdk";
import { useLive, useMutation } from "@galley/sdk/react";
import { type FormEvent, useId, useState } from "react";
import { members, users } from "./db.ts";
import { Fault } from "./fault.tsx";

/** Brings somebody into a room, by their handle. Any member may. */
export function Invite({ room }: { room: string }) {
  const list = useId();
  const [handle, setHandle] = useState("");
  const known = useLive(
    handle !== "" && users.find({ handle: { $startsWith: handle } }, { sort: "handle", limit: 5 }),
    {
      keep: true,
    },
  );
  const { run, pending, error, reset } = useMutation(async (wanted: string) => {
    const user = await users.find({ handle: wanted }).first();
    if (!user) throw new Error(`Nobody has the handle @${wanted}.`);
    try {
      await members.create({ room, user: user._id });
    } catch (cause) {
      // An index lets nobody be in a room twice.
      if (ApiError.is(cause, "unique_violation")) throw new Error(`${user.name} is here already.`);
      throw cause;
    }
    setHandle("");
  });

  function submit(event: FormEvent) {
    event.preventDefault();
    void run(handle);
  }

  return (
    <form className="invite" onSubmit={submit}>
      <label>
        Bring somebody in
        <span className="row">
          <input
            value={handle}
            list={list}
            placeholder="handle"
            required
            autoComplete="off"
            autoCapitalize="none"
            onChange={(event) => {
              reset();
              setHandle(event.target.value.trim().toLowerCase().replace(/^@/, ""));
            }}
          />
          <button type="submit" className="primary" disabled={pending}>
            Invite
          </button>
        </span>
      </label>
      <datalist id={list}>
        {known.data?.map((user) => (
          <option key={user._id} value={user.handle}>
            {user.name}
          </option>
        ))}
      </datalist>
      <Fault error={error} />
    </form>
  );
}
