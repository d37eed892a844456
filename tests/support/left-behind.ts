import type { Teardown } from "./teardown.ts";

type Timer = ReturnType<typeof setTimeout>;

/** What is left, in words. */
export interface Left {
  timers(): string[];
  all(): string[];
}

/**
 * Watches what one file of code leaves behind from now on: timers that have neither rung nor been cleared, and listeners of
 * the global scope, which Node has none of itself.
 *
 * @param file how its name ends
 */
export function watchGlobals(t: Teardown, file: string): Left {
  const { setTimeout, clearTimeout, setInterval, clearInterval } = globalThis;
  const timers = new Map<unknown, string>();
  const listeners: { readonly type: string; readonly fn: unknown }[] = [];
  /** Whether the file itself asks for it; what calls it stands below. */
  const isOurs = () => new Error("asked").stack?.split("\n")[3]?.includes(file) === true;
  const watched = {
    setTimeout(fn: (...given: unknown[]) => void, milliseconds?: number, ...given: unknown[]) {
      const ring = () => {
        timers.delete(timer);
        fn(...given);
      };
      const timer: Timer = setTimeout(ring, milliseconds);
      if (isOurs()) timers.set(timer, `a timer of ${milliseconds} ms`);
      return timer;
    },
    clearTimeout(timer: Timer | undefined) {
      timers.delete(timer);
      clearTimeout(timer);
    },
    setInterval(fn: () => void, milliseconds?: number) {
      const timer = setInterval(fn, milliseconds);
      if (isOurs()) timers.set(timer, `an interval of ${milliseconds} ms`);
      return timer;
    },
    clearInterval(timer: Timer | undefined) {
      timers.delete(timer);
      clearInterval(timer);
    },
    addEventListener: (type: string, fn: unknown) => void listeners.push({ type, fn }),
    removeEventListener(type: string, fn: unknown) {
      const at = listeners.findIndex((one) => one.type === type && one.fn === fn);
      if (at >= 0) listeners.splice(at, 1);
    },
  };
  const before = Object.fromEntries(
    Object.keys(watched).map((name) => [name, Object.getOwnPropertyDescriptor(globalThis, name)]),
  );
  Object.assign(globalThis, watched);
  t.teardown(() => {
    for (const [name, descriptor] of Object.entries(before)) {
      if (descriptor) Object.defineProperty(globalThis, name, descriptor);
      else Reflect.deleteProperty(globalThis, name);
    }
  });
  return {
    timers: () => [...timers.values()],
    all: () => [...timers.values(), ...listeners.map(({ type }) => `a listener of ${type}`)],
  };
}
