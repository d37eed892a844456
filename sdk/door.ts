import type { encodeObject, encodePart } from "./encode.ts";
import type { ApiError } from "./error.ts";
import type { Http } from "./http.ts";

/** What other entries of the SDK use of a client; handed over by it, since each may be bundled with modules of its own. */
export interface Door extends Pick<Http, "send"> {
  readonly encodeObject: typeof encodeObject;
  readonly encodePart: typeof encodePart;
  readonly ApiError: typeof ApiError;
}

/** The client's member that is the door. It is no part of what apps use. */
export const DOOR = Symbol.for("@galley/sdk");
