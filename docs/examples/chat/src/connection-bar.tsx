import { useConnection } from "@galley/sdk/react";

/** Says that what is shown may be behind. The SDK comes back by itself, and mends every result. */
export function ConnectionBar() {
  const status = useConnection();
  return (
    <p className="connection" role="status">
      {status === "waiting" && "Reconnecting…"}
    </p>
  );
}
