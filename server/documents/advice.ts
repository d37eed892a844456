import type { Node } from "#protocol/ast";
import type { Log } from "../log.ts";
import type { Cost, IndexDefinition } from "../stores/document-store.ts";

/** Documents a query may evaluate before it is worth telling. */
const MANY_CANDIDATES = 1000;
const HOUR = 60 * 60 * 1000;
/** Shapes remembered; a server with more has forgotten the oldest. */
const MAX_SHAPES = 1000;

export interface AdviceOptions {
  readonly clock: () => number;
  readonly log: Log;
  /** Development mode: the advice goes with the page, and the index is declared. */
  readonly development: boolean;
  /** Adds an index to a collection's definition. */
  readonly declareIndex: (collection: string, index: IndexDefinition) => Promise<void>;
}

/** Watches what queries cost and tells which index would help, long before one is refused; query-language.md 8. */
export interface Advisor {
  /** @returns what the page should carry */
  watch(collection: string, filter: Node, cost: Cost): { readonly index: IndexDefinition } | undefined;
}

export function createAdvisor({ clock, log, development, declareIndex }: AdviceOptions): Advisor {
  const shapes = new Map<string, { count: number; told: number }>();
  const declared = new Set<string>();

  return {
    watch(collection, filter, { examined, advice }) {
      if (examined <= MANY_CANDIDATES) return undefined;
      const shape = `${collection} ${shapeOf(filter)}`;
      const seen = shapes.get(shape) ?? { count: 0, told: -HOUR };
      seen.count++;
      shapes.set(shape, seen);
      if (shapes.size > MAX_SHAPES) shapes.delete(shapes.keys().next().value ?? "");
      if (clock() - seen.told >= HOUR) {
        seen.told = clock();
        log.warn(
          { collection, shape, examined, queries: seen.count, index: advice?.paths },
          "a query evaluates many documents",
        );
      }
      if (!development || !advice) return undefined;
      declare(collection, advice);
      return { index: advice };
    },
  };

  function declare(collection: string, index: IndexDefinition): void {
    const key = `${collection} ${index.paths.join(",")}`;
    if (declared.has(key)) return;
    declared.add(key);
    declareIndex(collection, index).then(
      () => log.info({ collection, index: index.paths }, "declared an index that a query misses (development mode)"),
      (error: unknown) => log.warn({ err: error, collection, index: index.paths }, "an index could not be declared"),
    );
  }
}

/** A filter without its literals. */
function shapeOf(node: Node): string {
  switch (node.kind) {
    case "true":
    case "false":
      return node.kind;
    case "and":
    case "or":
      return `${node.kind}(${[...new Set(node.of.map(shapeOf))].join(" ")})`;
    case "not":
      return `not(${shapeOf(node.of)})`;
    case "compare":
      return `${node.path.join(".")}:${node.op}`;
    default:
      return `${node.path.join(".")}:${node.kind}`;
  }
}
