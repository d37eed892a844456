import { ApiError } from "@galley/sdk";

/** What went wrong, in words, told to screen readers at once. */
export function Fault({ error }: { error: Error | undefined }) {
  return error ? (
    <p className="fault" role="alert">
      {wordsOf(error)}
    </p>
  ) : null;
}

export function wordsOf(error: Error): string {
  if (ApiError.is(error, "network")) return "The server cannot be reached.";
  if (ApiError.is(error, "unique_violation")) return "Somebody else has this handle.";
  // Those of single fields begin with its path.
  const [fault] = ApiError.is(error, "schema_violation", "invalid_argument") ? Object.values(error.fields) : [];
  return (fault ?? error).message.replace(/^(?:document|profile)\./, "");
}
