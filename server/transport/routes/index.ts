import type { Authorizer } from "../../access/authorize.ts";
import type { RulesService } from "../../access/publishing/rules-contract.ts";
import type {
  Accounts,
  Admins,
  AuditLog,
  MailLog,
  RequestLimits,
  SettingsRoutes,
  UserAdmin,
} from "../../accounts/contract.ts";
import type { ServiceKeys } from "../../accounts/keys/service-keys.ts";
import type { CollectionService, DocumentService } from "../../documents/contract.ts";
import type { ExplainService } from "../../documents/explain-contract.ts";
import type { RouteTools } from "../lines.ts";
import type { RefreshCookie } from "../refresh-cookie.ts";
import type { Route } from "../route.ts";
import { authRoutes } from "./auth.ts";
import { batchRoutes } from "./batch.ts";
import { collectionDataRoutes } from "./collection-data.ts";
import { collectionRoutes } from "./collections.ts";
import { consoleRoutes } from "./console.ts";
import { documentRoutes } from "./documents.ts";
import { explainRoutes } from "./explain.ts";
import { healthRoutes } from "./health.ts";
import { keyRoutes } from "./keys.ts";
import { openApiRoute } from "./openapi.ts";
import { ownAccountRoutes } from "./own-account.ts";
import { queryRoutes } from "./queries.ts";
import { rulesRoutes } from "./rules.ts";
import { sdkRoutes } from "./sdk.ts";
import { settingsRoutes } from "./settings.ts";
import { userRoutes } from "./users.ts";

export interface RouteParts extends RouteTools {
  readonly access: Authorizer;
  readonly documents: DocumentService;
  readonly collections: CollectionService;
  readonly rules: RulesService;
  readonly explain: ExplainService;
  readonly keys: ServiceKeys;
  readonly accounts: Accounts;
  readonly users: UserAdmin;
  readonly admins: Admins;
  readonly settings: SettingsRoutes;
  readonly auditLog: AuditLog;
  readonly mailLog: MailLog;
  readonly requestLimits: RequestLimits;
  readonly cookie: RefreshCookie;
  /** Resolves if the store answers. */
  readonly ping: () => Promise<void>;
  readonly clock: () => number;
  /** Other programs write into the store too. */
  readonly isShared: boolean;
  /** Folders of what the build made for browsers. */
  readonly assets: { readonly sdk: string; readonly console: string };
}

/** Every route, in reading order. */
export function allRoutes(parts: RouteParts): readonly Route[] {
  const { replies, access, documents, collections, assets } = parts;
  const routes = [
    ...healthRoutes(replies, parts.ping, parts.clock),
    ...documentRoutes(documents, access, replies, parts.isShared),
    ...queryRoutes(documents, access, parts),
    ...batchRoutes(documents, access, replies, parts.requestLimits),
    ...collectionRoutes(collections, replies),
    ...collectionDataRoutes(collections, parts),
    ...rulesRoutes(parts.rules, replies),
    ...explainRoutes(parts.explain, replies),
    ...authRoutes(parts.accounts, replies, parts.cookie),
    ...ownAccountRoutes(parts.accounts, replies, parts.cookie),
    ...userRoutes(parts.users, replies),
    ...keyRoutes(parts.keys, replies),
    ...settingsRoutes(parts, replies),
    ...sdkRoutes(replies, assets.sdk),
    ...consoleRoutes(replies, assets.console),
  ];
  return [...routes, openApiRoute(replies, routes)];
}
