import type { Next } from "@galley/sdk";
import { useAuth, useMutation } from "@galley/sdk/react";
import type { FormEvent } from "react";
import { Fault } from "./fault.tsx";

/** Where the server wants the address proven first (its setting `signUp.confirm`): asks for the code of the mail. */
export function ConfirmCode({ next }: { next: Next }) {
  const { auth } = useAuth();
  const { run, pending, error } = useMutation((code: string) => auth.finish(next, { code }));

  function submit(event: FormEvent<HTMLFormElement>) {
    event.preventDefault();
    void run(String(new FormData(event.currentTarget).get("code")).trim());
  }

  return (
    <main className="door">
      <form onSubmit={submit} className="card">
        <h1>Look into your mail</h1>
        <label>
          The code of six digits
          <input name="code" inputMode="numeric" autoComplete="one-time-code" pattern="[0-9]{6}" required />
        </label>
        <Fault error={error} />
        <button type="submit" className="primary" disabled={pending}>
          Go on
        </button>
      </form>
    </main>
  );
}
