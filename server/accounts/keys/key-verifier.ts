import { createHash, timingSafeEqual } from "node:crypto";
import { GalleyError } from "#protocol/errors";
import { NotFromHere, type Principal } from "../../access/principal.ts";
import { ScopeSet } from "../../access/scopes.ts";
import type { DocumentStore } from "../../stores/document-store.ts";
import type { NetworkLimits } from "../limits/network-limits.ts";
import { inNetworks } from "../limits/networks.ts";
import { hashSecret, parseKey } from "./key-format.ts";
import { isSuspended, MAKERS } from "./key-makers.ts";
import { KEYS, type KeyRecord, readKey } from "./key-records.ts";

/** Tokens remembered as good; enough for every key of a large installation, and a bound on memory. */
const MAX_REMEMBERED = 10_000;

/** A token that was found good, and what must still hold at each use. */
interface Remembered {
  /** Undefined: a preset one. */
  readonly key: KeyRecord | undefined;
  readonly scopes: ScopeSet;
  /** Epoch milliseconds: when the key or, in a rotation, its old secret ends. */
  readonly until: number;
  readonly admits: (address: string) => boolean;
}

export interface KeyVerifierOptions {
  readonly store: DocumentStore;
  readonly clock: () => number;
  readonly presets: readonly string[];
  /** Counts failures by where they come from; accounts.md 8. */
  readonly limits: Pick<NetworkLimits, "demand" | "failed">;
  /** Told of each use of a stored key. */
  readonly onUse: (key: KeyRecord, address: string) => void;
}

/** Tells whose token it is. What was verified once is known by the token itself until its key changes. */
export interface KeyVerifier {
  /** @throws GalleyError `unauthenticated`, the same for every reason */
  verify(token: string, address: string): Principal | Promise<Principal>;
  /** Who a principal of a key, which this made, is now. @throws GalleyError as above */
  renew(principal: Principal): Principal | Promise<Principal>;
  /** Epoch milliseconds: until when a principal that this made may come in, unless its key is changed before. */
  endOf(principal: Principal): number;
  close(): void;
}

export function createKeyVerifier({ store, clock, presets, limits, onUse }: KeyVerifierOptions): KeyVerifier {
  const presetDigests = presets.map(digest);
  const remembered = new Map<string, Remembered>();
  /** What each principal came in by. */
  const tokens = new WeakMap<Principal, { readonly token: string; readonly until: number }>();
  /** Raised with every change of a key or an admin, so that a look-up under way does not remember what was true before. */
  let epoch = 0;
  // A change reaches this, on every node, before the call that made it is answered: nobody comes in by an old key then.
  const tail = store.tail(
    undefined,
    ({ changes, dropped }) => {
      if (dropped?.includes(KEYS) || dropped?.includes(MAKERS)) forgetAll();
      for (const { collection, id } of changes) {
        if (collection === KEYS) forget((key) => key.id === id);
        else if (collection === MAKERS) forget((key) => key.maker === id);
      }
    },
    forgetAll,
  );

  const verifier: KeyVerifier = {
    verify(token, address) {
      if (!store.nodes.inTouch) return store.nodes.touch().then(() => verifier.verify(token, address));
      const known = remembered.get(token);
      if (known) return admit(token, known, address);
      if (!isPreset(token)) return lookUp(token, address);
      remember(token, { key: undefined, scopes: new ScopeSet(["*"]), until: Infinity, admits: () => true });
      return verifier.verify(token, address);
    },
    renew(principal) {
      const came = tokens.get(principal);
      return came === undefined ? principal : verifier.verify(came.token, principal.address);
    },
    endOf: (principal) => tokens.get(principal)?.until ?? Number.POSITIVE_INFINITY,
    close: () => tail.close(),
  };
  return verifier;

  function forget(isMeant: (key: KeyRecord) => boolean): void {
    epoch++;
    for (const [token, { key }] of remembered) if (key && isMeant(key)) remembered.delete(token);
  }

  function forgetAll(): void {
    epoch++;
    remembered.clear();
  }

  async function lookUp(token: string, address: string): Promise<Principal> {
    limits.demand("key", address);
    try {
      return await found(token, address);
    } catch (error) {
      if (error instanceof GalleyError && error.code === "unauthenticated") limits.failed("key", address);
      throw error;
    }
  }

  async function found(token: string, address: string): Promise<Principal> {
    const parts = parseKey(token);
    if (!parts) throw invalid();
    for (;;) {
      const before = epoch;
      const [row] = await store.get(KEYS, [parts.id]);
      const key = row && readKey(row);
      const suspended = key && (await isSuspended(store, key));
      if (before !== epoch) continue;
      const known = key && !suspended && recognise(key, hashSecret(parts.secret));
      if (!known) throw invalid();
      remember(token, known);
      return admit(token, known, address);
    }
  }

  function remember(token: string, found: Remembered): void {
    if (remembered.size >= MAX_REMEMBERED) remembered.delete(remembered.keys().next().value ?? "");
    remembered.set(token, found);
  }

  function recognise(key: KeyRecord, hash: string): Remembered | undefined {
    const { previous } = key;
    const end = key.expiresAt?.getTime() ?? Infinity;
    const common = {
      key,
      scopes: new ScopeSet(key.scopes),
      admits: key.networks.length === 0 ? () => true : inNetworks(key.networks),
    };
    if (sameHash(key.hash, hash)) return { ...common, until: end };
    if (!previous || !sameHash(previous.hash, hash)) return undefined;
    return { ...common, until: Math.min(end, previous.until.getTime()) };
  }

  function admit(token: string, { key, scopes, until, admits }: Remembered, address: string): Principal {
    if (clock() >= until) throw invalid();
    if (!admits(address)) throw invalid(new NotFromHere());
    if (key) onUse(key, address);
    const maker = key?.maker === undefined ? {} : { maker: key.maker };
    const principal: Principal = { kind: "key", id: key?.id ?? "preset", scopes, ...maker, address };
    tokens.set(principal, { token, until });
    return principal;
  }

  function isPreset(token: string): boolean {
    const given = digest(token);
    // All are compared, whichever fits.
    return presetDigests.filter((preset) => timingSafeEqual(preset, given)).length > 0;
  }
}

function digest(text: string): Buffer {
  return createHash("sha256").update(text).digest();
}

function sameHash(a: string, b: string): boolean {
  return a.length === b.length && timingSafeEqual(Buffer.from(a), Buffer.from(b));
}

/** @param cause logged, and told to nobody */
function invalid(cause?: Error): GalleyError {
  return new GalleyError(
    "unauthenticated",
    "the service key is not valid here: it may be mistyped, revoked, suspended or expired",
    { reason: "token_invalid" },
    cause,
  );
}
