import { useEffect, useRef } from "react";

/** Loads older messages when it comes near, or is pressed. */
export function Older({ loadMore }: { loadMore: () => void }) {
  const button = useRef<HTMLButtonElement>(null);
  useEffect(() => {
    const { current } = button;
    if (!current) return;
    const observer = new IntersectionObserver(([entry]) => entry?.isIntersecting && loadMore(), {
      root: current.closest(".messages"),
      rootMargin: "400px",
    });
    observer.observe(current);
    return () => observer.disconnect();
  }, [loadMore]);
  return (
    <button ref={button} type="button" className="link older" onClick={loadMore}>
      Older messages
    </button>
  );
}
