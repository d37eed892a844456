import { useTypists } from "./use-typists.ts";

/** Says who types. It keeps its height, so that nothing jumps. */
export function TypingLine({ room, me }: { room: string; me: string }) {
  const names = useTypists(room, me);
  return (
    <p className="typing" role="status">
      {names.length > 0 && (
        <>
          {names.length > 2 ? "Several people are" : `${names.join(" and ")} ${names.length > 1 ? "are" : "is"}`} typing
          <span className="dots" aria-hidden>
            <i />
            <i />
            <i />
          </span>
        </>
      )}
    </p>
  );
}
