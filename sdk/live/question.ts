/** A question as it is watched. */
export interface Watched {
  /** Equal keys share a subscription. */
  readonly key: string;
  /** JSON text of the frame's `q`. */
  readonly query: string;
  /** What is made of its rows. */
  readonly shows: "list" | "one" | "value";
}

type Parts = readonly [kind: string, collection: string, first: unknown, second: object];

/** Makes of a question's key, `["find","todos",{…filter},{…shape}]`, what the server is asked. */
export function watchedOf(key: string): Watched {
  const [kind, collection, first, second] = JSON.parse(key) as Parts;
  const asked = (name: string, body: object): string => JSON.stringify({ collection, [name]: body });
  switch (kind) {
    case "get":
      return { key, query: asked(kind, { ids: [first], ...second }), shows: "one" };
    case "first":
      return { key, query: asked("find", { filter: first, ...second, limit: 1 }), shows: "one" };
    case "find":
      return { key, query: asked(kind, { filter: first, ...second }), shows: "list" };
    default:
      return { key, query: asked(kind, { filter: first, ...second }), shows: "value" };
  }
}
