import type { Scope } from "./authorize.ts";
import type { Principal } from "./principal.ts";
import type { RequestRights } from "./rights.ts";

/** One collection that a request asks for, whatever it is judged by. */
export abstract class RequestedCollection {
  readonly collection: string;
  readonly on: (collection: string) => Scope;
  protected readonly request: RequestRights;

  constructor(request: RequestRights, collection: string, on: (collection: string) => Scope) {
    this.request = request;
    this.collection = collection;
    this.on = on;
  }

  get principal(): Principal {
    return this.request.principal;
  }

  get current(): boolean {
    return this.request.current;
  }

  confirm(): Promise<boolean> {
    return this.request.confirm();
  }
}
