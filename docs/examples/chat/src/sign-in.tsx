import type { Next } from "@galley/sdk";
import { useAuth, useMutation } from "@galley/sdk/react";
import { type FormEvent, useState } from "react";
import { ConfirmCode } from "./confirm-code.tsx";
import { Fault } from "./fault.tsx";

/** The way in, for those who have an account and those who make one. */
export function SignIn() {
  const { auth } = useAuth();
  const [isNew, setNew] = useState(false);
  const [next, setNext] = useState<Next>();
  const { run, pending, error, reset } = useMutation(async (email: string, password: string, profile: Profile) => {
    // A profile is made in the same commit as the account, by the rules of `users`.
    const step = isNew ? await auth.signUp({ email, password, profile }) : await auth.signIn({ email, password });
    setNext(step.next);
  });
  if (next) return <ConfirmCode next={next} />;

  function submit(event: FormEvent<HTMLFormElement>) {
    event.preventDefault();
    const form = new FormData(event.currentTarget);
    const text = (name: string) => String(form.get(name) ?? "").trim();
    void run(text("email"), String(form.get("password")), { name: text("name"), handle: text("handle") });
  }

  return (
    <main className="door">
      <form onSubmit={submit} className="card">
        <h1>{isNew ? "Create an account" : "Welcome back"}</h1>
        {isNew && (
          <>
            <label>
              Name
              <input name="name" autoComplete="name" required maxLength={60} placeholder="Ann Hill" />
            </label>
            <label>
              Handle
              <input
                name="handle"
                autoComplete="username"
                autoCapitalize="none"
                required
                pattern="[a-z0-9_]{2,20}"
                title="2 to 20 small letters, digits or _"
                placeholder="ann"
              />
            </label>
          </>
        )}
        <label>
          Email
          <input name="email" type="email" autoComplete="email" required placeholder="ann@example.org" />
        </label>
        <label>
          Password
          <input
            name="password"
            type="password"
            autoComplete={isNew ? "new-password" : "current-password"}
            required
            minLength={isNew ? 8 : undefined}
          />
        </label>
        <Fault error={error} />
        <button type="submit" className="primary" disabled={pending}>
          {isNew ? "Create account" : "Sign in"}
        </button>
        <button
          type="button"
          className="link"
          onClick={() => {
            setNew(!isNew);
            reset();
          }}
        >
          {isNew ? "I have an account" : "I am new here"}
        </button>
      </form>
    </main>
  );
}

interface Profile extends Record<string, unknown> {
  name: string;
  handle: string;
}
