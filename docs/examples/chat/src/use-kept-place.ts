import { type RefObject, useLayoutEffect, useRef } from "react";

/** Pixels from the end within which somebody is taken to read along. */
const NEAR = 40;

/**
 * Keeps the place in a list that is laid out from its end, where `scrollTop` is 0 and above which it is negative: older
 * messages above move nothing by themselves. New ones below do, unless somebody is at the end, or has just said something.
 *
 * @param newest the id of the last message
 * @param isMine whether its author is the reader
 * @returns the list that scrolls; its messages are children of an `ol`
 */
export function useKeptPlace(newest: string | undefined, isMine: boolean): RefObject<HTMLDivElement | null> {
  const list = useRef<HTMLDivElement>(null);
  const last = useRef<Element>(undefined);
  useLayoutEffect(() => {
    const box = list.current;
    const before = last.current;
    last.current = box?.querySelector("ol")?.lastElementChild ?? undefined;
    if (!box || !before?.isConnected || !last.current) return;
    if (isMine || box.scrollTop > -NEAR) box.scrollTop = 0;
    else box.scrollTop -= last.current.getBoundingClientRect().bottom - before.getBoundingClientRect().bottom;
    // What is above a message moves only as another one comes below it.
  }, [newest]);
  return list;
}
