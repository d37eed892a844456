/** A global scope with what React Native's apps find in theirs, and nothing that only some of its releases bring. */
import { createContext, runInContext } from "node:vm";
import { WebSocket } from "ws";

/** Of the language, what Hermes has had only for a while, or has not; of symbols, the iteration of what takes time. */
const LACKING = `
  for (const name of ["Intl", "WebAssembly", "SharedArrayBuffer", "Atomics", "WeakRef", "FinalizationRegistry", "Iterator"])
    delete globalThis[name];
  for (const [of, ...names] of [
    [String.prototype, "isWellFormed", "toWellFormed"],
    [Array.prototype, "toSorted", "toReversed", "toSpliced", "with"],
    [Array, "fromAsync"], [Object, "groupBy"], [Map, "groupBy"],
    [Promise, "allSettled", "any", "withResolvers"],
  ]) for (const name of names) delete of[name];
  const { iterator, hasInstance, toPrimitive, toStringTag, species } = Symbol;
  const known = { for: Symbol.for, iterator, hasInstance, toPrimitive, toStringTag, species };
  const make = Symbol;
  globalThis.Symbol = Object.assign((text) => make(text), known);
`;

/** React Native's was made before signals knew a reason, and has no more than this. */
class NativeAbortController {
  readonly signal = new NativeAbortSignal();

  abort(): void {
    this.signal.end();
  }
}

class NativeAbortSignal {
  aborted = false;
  onabort: (() => void) | null = null;
  readonly #listeners = new Set<() => void>();

  addEventListener(_type: "abort", listener: () => void): void {
    this.#listeners.add(listener);
  }

  removeEventListener(_type: "abort", listener: () => void): void {
    this.#listeners.delete(listener);
  }

  end(): void {
    if (this.aborted) return;
    this.aborted = true;
    this.onabort?.();
    for (const listener of this.#listeners) listener();
  }
}

/** Node's, ended by such a signal. */
function nativeFetch(address: string, { signal, ...options }: RequestInit = {}): Promise<Response> {
  const controller = new AbortController();
  const source = signal as unknown as NativeAbortSignal | undefined;
  source?.addEventListener("abort", () => controller.abort());
  return fetch(address, { ...options, signal: controller.signal });
}

/** @returns the global scope, after a bundle has run in it */
export function runNative(bundle: string): Record<string, unknown> {
  const scope: Record<string, unknown> = createContext({
    ...{ fetch: nativeFetch, WebSocket, AbortController: NativeAbortController },
    ...{ setTimeout, clearTimeout, setInterval, clearInterval, queueMicrotask, atob, btoa, console },
    performance: { now: () => performance.now() },
    navigator: { product: "ReactNative" },
  });
  for (const name of ["global", "window", "self"]) scope[name] = scope;
  runInContext(LACKING, scope);
  runInContext(bundle, scope);
  return scope;
}
