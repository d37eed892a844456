import { useSyncExternalStore } from "react";

const PREFIX = "#/rooms/";

/** The id of the room that the address names, so that links and the back button work. */
export function useOpenRoom(): string | undefined {
  const hash = useSyncExternalStore(subscribe, () => location.hash);
  return hash.startsWith(PREFIX) ? hash.slice(PREFIX.length) : undefined;
}

/** The address of a room; without one, of the list of rooms. */
export function addressOf(room = ""): string {
  return room ? PREFIX + room : "#/";
}

function subscribe(tell: () => void) {
  addEventListener("hashchange", tell);
  return () => removeEventListener("hashchange", tell);
}
