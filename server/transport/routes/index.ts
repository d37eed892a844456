import type { ServiceKeys } from "../../accounts/service-keys.ts";
import type { CollectionService, DocumentService } from "../../documents/contract.ts";
import type { RouteTools } from "../lines.ts";
import type { Route } from "../route.ts";
import { batchRoutes } from "./batch.ts";
import { collectionDataRoutes } from "./collection-data.ts";
import { collectionRoutes } from "./collections.ts";
import { consoleRoutes } from "./console.ts";
import { documentRoutes } from "./documents.ts";
import { healthRoutes } from "./health.ts";
import { keyRoutes } from "./keys.ts";
import { openApiRoute } from "./openapi.ts";
import { queryRoutes } from "./queries.ts";
import { sdkRoutes } from "./sdk.ts";

export interface RouteParts extends RouteTools {
  readonly documents: DocumentService;
  readonly collections: CollectionService;
  readonly keys: ServiceKeys;
  /** Resolves if the store answers. */
  readonly ping: () => Promise<void>;
  readonly clock: () => number;
  /** Folders of what the build made for browsers. */
  readonly assets: { readonly sdk: string; readonly console: string };
}

/** Every route, in reading order. */
export function allRoutes(parts: RouteParts): readonly Route[] {
  const { replies, documents, collections, assets } = parts;
  const routes = [
    ...healthRoutes(replies, parts.ping, parts.clock),
    ...documentRoutes(documents, replies),
    ...queryRoutes(documents, replies),
    ...batchRoutes(documents, replies),
    ...collectionRoutes(collections, replies),
    ...collectionDataRoutes(collections, parts),
    ...keyRoutes(parts.keys, replies),
    ...sdkRoutes(replies, assets.sdk),
    ...consoleRoutes(replies, assets.console),
  ];
  return [...routes, openApiRoute(replies, routes)];
}
