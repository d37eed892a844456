import type { Principal } from "../../access/principal.ts";
import type { Visit } from "../../accounts/contract.ts";
import type { Call } from "../route.ts";

/** Characters of a User-Agent that are looked at. */
const MAX_AGENT = 500;

/** Where a request comes from, as accounts remember it. */
export function visitOf({ scope, request }: Call<{ readonly principal: Principal }>): Visit {
  return {
    address: scope.principal.address,
    userAgent: (request.headers["user-agent"] ?? "").slice(0, MAX_AGENT),
    requestId: request.id,
  };
}
