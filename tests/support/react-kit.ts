/** What a page of a test of the SDK's hooks has: React, the SDK as an app bundles it, and counts of what the client does. */
import { type ClientOptions, createClient } from "@galley/sdk";
import * as hooks from "@galley/sdk/react";
import * as react from "react";
import { flushSync } from "react-dom";
import { createRoot, hydrateRoot } from "react-dom/client";
import { renderToString } from "react-dom/server";

/** Frames that sockets were sent, as parsed JSON. */
const sent: { readonly t: string; readonly s?: number; readonly q?: object }[] = [];

class CountingSocket extends WebSocket {
  override send(data: string): void {
    sent.push(JSON.parse(data));
    super.send(data);
  }
}

/** Timers of a second and more that run: React's own are shorter. */
const timers = new Set<unknown>();
const { setTimeout: start, clearTimeout: stop } = globalThis;
/** What the five seconds that things linger are multiplied with. */
const linger = { factor: 1 };
Object.assign(globalThis, {
  setTimeout(fn: () => void, milliseconds = 0) {
    const timer = start(
      () => {
        timers.delete(timer);
        fn();
      },
      milliseconds * (milliseconds === 5000 ? linger.factor : 1),
    );
    if (milliseconds >= 1000) timers.add(timer);
    return timer;
  },
  clearTimeout(timer: number) {
    timers.delete(timer);
    stop(timer);
  },
});

/** Puts a tree on the page. @returns its element, and what takes it off again */
function render(node: react.ReactNode, isStrict = false) {
  const element = document.body.appendChild(document.createElement("div"));
  const root = createRoot(element);
  const show = (next: react.ReactNode): void =>
    root.render(isStrict ? react.createElement(react.StrictMode, undefined, next) : next);
  show(node);
  return {
    element,
    text: (): string => element.textContent ?? "",
    show,
    unmount(): void {
      root.unmount();
      element.remove();
    },
  };
}

async function until(holds: () => unknown, what: string): Promise<void> {
  const began = performance.now();
  while (!(await holds())) {
    if (performance.now() - began > 30_000) throw new Error(`${what} did not come about; ${document.body.innerText}`);
    await new Promise((resolve) => setTimeout(resolve, 3));
  }
}

const kit = {
  react,
  ...hooks,
  h: react.createElement,
  flushSync,
  hydrateRoot,
  renderToString,
  timers,
  linger,
  render,
  until,
  sent,
  /** How many frames of a kind were sent. */
  count: (kind: string): number => sent.filter(({ t }) => t === kind).length,
  open: (options: Partial<ClientOptions> = {}) =>
    createClient({ url: location.hash.slice(1), WebSocket: CountingSocket, ...options }),
};

export type Kit = typeof kit;
Object.assign(globalThis, { kit });
