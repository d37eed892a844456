import { CLOSE } from "#protocol/frames";
import type { Standing } from "../../access/authorize.ts";
import type { Principal } from "../../access/principal.ts";
import type { Position } from "../../stores/document-store.ts";
import type { Asker, LiveCaller } from "../contract.ts";
import type { AskedLookups } from "../rights/live-lookups.ts";
import { askerOf, type Identified, isSame, personOf } from "./identity.ts";
import type { LiveNode } from "./live-node.ts";
import { Renewal } from "./renewal.ts";
import type { Session } from "./session.ts";
import type { Subscription } from "./subscription.ts";

export interface SessionPrincipalOptions {
  readonly node: LiveNode;
  readonly session: Session;
  readonly caller: LiveCaller;
  readonly asked: AskedLookups;
  /** Epoch milliseconds, for rules. */
  readonly now: () => number;
  /** What it may do may have changed, so many times since a position. */
  readonly changed: (times: number, at: Position | undefined) => void;
  readonly end: (code: number, reason: string) => void;
  readonly failed: (error: unknown) => void;
}

/** Who a socket is and what they may do: followed from change to change, until its token ends. */
export class SessionPrincipal {
  readonly #options: SessionPrincipalOptions;
  readonly #renewal: Renewal;
  #standing: Standing;
  #person: string | undefined;
  /** Epoch milliseconds. */
  #endsAt = Number.POSITIVE_INFINITY;
  #forgetEnd = () => {};

  constructor(options: SessionPrincipalOptions) {
    this.#options = options;
    const { node, caller, failed } = options;
    this.#standing = this.#standingOf({ kind: "anonymous", address: caller.address });
    this.#renewal = new Renewal({
      renew: () => {
        node.counters.renewals++;
        return node.identities.renew(this.#standing.principal);
      },
      renewed: (found, times, at) => this.#renewed(found, times, at),
      failed,
    });
  }

  get standing(): Standing {
    return this.#standing;
  }

  /** Whether it is not known at the moment what they may do. */
  get isHeld(): boolean {
    return this.#renewal.isOn;
  }

  /** On whose account questions are read. */
  get asker(): Asker {
    const { address, network = address } = this.#options.caller;
    return askerOf(this.#standing.principal, network);
  }

  identify(token: string | undefined): Identified | Promise<Identified> {
    const { node, caller } = this.#options;
    return node.identities.identify(token, caller.address, caller.origin);
  }

  /** What a subscription is told that they may not have, or cannot; maybe a moment later. */
  refusal(error: unknown, { s, question }: Pick<Subscription, "s" | "question">): string | Promise<string> {
    const { node, caller } = this.#options;
    const { principal } = this.#standing;
    const asked = () => question.asked(this.#standing.scope(question.collection));
    return node.errors.ofRefusal(error, { s, principal, isLocal: caller.isLocal ?? false, asked });
  }

  isSame(other: Principal): boolean {
    return isSame(this.#standing.principal, other);
  }

  /** @returns whether there is room for one more socket of theirs; ended, if not */
  become({ principal, endsAt }: Identified): boolean {
    const { node, session, changed, end } = this.#options;
    const person = personOf(principal);
    if (person !== this.#person) {
      if (person !== undefined && !node.people.enter(person)) {
        end(CLOSE.tooMany, "you have too many sockets open");
        return false;
      }
      this.#leave();
      this.#person = person;
    }
    let times = this.#renewal.cancel();
    node.index.set(session, principal);
    if (!this.isSame(principal)) this.#standing = this.#standingOf(principal);
    else {
      // What changed meanwhile may be as it was by now, and was not between.
      if (this.#standing.become(principal)) times++;
      if (times > 0) changed(times, undefined);
    }
    this.#endAt(endsAt);
    return true;
  }

  /** Ends it where its token is over: after a sleep of the machine, or of the process, timers come late. @returns whether it is */
  endIfOver(): boolean {
    const { node, end } = this.#options;
    const isOver = node.clock() >= this.#endsAt;
    if (isOver) end(CLOSE.unauthenticated, "token_invalid");
    return isOver;
  }

  /** It may be somebody else by now, or nobody. Resolves when that is known. */
  renew(at: Position | undefined): Promise<void> {
    return this.#renewal.ask(at);
  }

  /** The socket has gone. */
  close(): void {
    this.#forgetEnd();
    this.#renewal.cancel();
    this.#leave();
    this.#options.node.index.delete(this.#options.session);
  }

  #renewed({ principal, endsAt }: Identified, times: number, at: Position | undefined): void {
    const { node, session, changed } = this.#options;
    node.index.set(session, principal);
    if (this.#standing.become(principal) || times > 1) changed(times, at);
    if (endsAt !== undefined) this.#endAt(endsAt);
    session.wake();
  }

  #leave(): void {
    if (this.#person !== undefined) this.#options.node.people.leave(this.#person);
    this.#person = undefined;
  }

  #standingOf(principal: Principal): Standing {
    const { node, asked, now } = this.#options;
    return node.access.standing(principal, { lookups: asked, now });
  }

  /** @param endsAt epoch milliseconds; undefined: never */
  #endAt(endsAt = Number.POSITIVE_INFINITY): void {
    const { node } = this.#options;
    this.#forgetEnd();
    this.#endsAt = endsAt;
    if (endsAt === Number.POSITIVE_INFINITY) return;
    this.#forgetEnd = node.wheel.after((endsAt - node.clock()) / 1000, () => {
      // A clock that was set back gives it more time.
      if (!this.endIfOver()) this.#endAt(endsAt);
    });
  }
}
