/** A question as it is watched. */
export interface Watched {
  /** Equal keys share a subscription. */
  readonly key: string;
  readonly collection: string;
  /** JSON text of the frame's `q`. */
  readonly query: string;
  /** What is made of its rows. */
  readonly shows: "list" | "one" | "value";
  /** As parsed JSON. */
  readonly filter: unknown;
  readonly shape: { readonly sort?: unknown; readonly select?: unknown; readonly expand?: readonly string[] };
  /** Of a list; undefined: the server's own. */
  readonly limit: number | undefined;
}

type Parts = readonly [kind: string, collection: string, first: unknown, second: Watched["shape"] & { limit?: number }];

/** Makes of a question's key, `["find","todos",{…filter},{…shape}]`, what the server is asked. */
export function watchedOf(key: string): Watched {
  const [kind, collection, first, second] = JSON.parse(key) as Parts;
  const { expand: _, ...shape } = second;
  const asked = (name: string, body: object): string => JSON.stringify({ collection, [name]: body });
  const parts = { key, collection, filter: first, shape: second, limit: second.limit };
  switch (kind) {
    case "get":
      return {
        ...{ ...parts, filter: { _id: first }, limit: 1 },
        ...{ query: asked(kind, { ids: [first], ...shape }), shows: "one" },
      };
    // What another result refers to.
    case "ids":
      return {
        ...{ ...parts, filter: { _id: { $in: first } }, limit: (first as unknown[]).length },
        ...{ query: asked("get", { ids: first, ...shape }), shows: "list" },
      };
    case "first":
      return { ...parts, limit: 1, query: asked("find", { filter: first, ...shape, limit: 1 }), shows: "one" };
    case "find":
      return { ...parts, query: asked(kind, { filter: first, ...shape }), shows: "list" };
    default:
      return { ...parts, query: asked(kind, { filter: first, ...second }), shows: "value" };
  }
}
