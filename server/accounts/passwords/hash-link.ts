import { type ChildProcess, fork } from "node:child_process";
import { constants, getPriority, setPriority } from "node:os";
import { fileURLToPath } from "node:url";
import { GalleyError } from "#protocol/errors";
import type { HashReply, HashRequest } from "./hash-process.ts";
import type { Checking, Making, PasswordVerdict } from "./hash-work.ts";

/** Where passwords are hashed. */
export interface HashMaker {
  make(making: Making): Promise<string>;
  /** @throws GalleyError `unavailable`, as `make` */
  check(checking: Checking): Promise<PasswordVerdict>;
  close(): Promise<void>;
}

interface Asked {
  resolve(done: string | PasswordVerdict): void;
  reject(error: Error): void;
}

/** A process that runs. */
interface Link {
  readonly child: ChildProcess;
  /** What it was asked and has not answered yet. */
  readonly asked: Map<number, Asked>;
}

/** By how much hashes stand back behind whatever else the machine does, as `nice` counts. */
const NICENESS = 13;

/**
 * A process of its own for hashes (hash-process.ts), started when one is first needed. Its memory, which comes and goes by
 * 19 MiB a hash, is not the server's; its threads stand back behind the event loop, which threads of libuv's pool cannot;
 * and it can be handed the next hash before the last one is done, so that no core waits for the event loop.
 *
 * @param atOnce hashes that it makes at once: what it is asked beyond waits there
 */
export function createHashLink(atOnce: number): HashMaker {
  let link: Link | undefined;
  let number = 0;
  let closed = false;

  function start(): Link {
    const { url: here } = import.meta;
    const source = here.endsWith(".ts");
    const child = fork(fileURLToPath(new URL(source ? "hash-process.ts" : "hash-process.js", here)), {
      // None of the server's own, which hold its secrets.
      env: { UV_THREADPOOL_SIZE: String(atOnce) },
      execArgv: source ? ["--import=tsx"] : [],
      stdio: ["ignore", "ignore", "inherit", "ipc"],
    });
    const started: Link = { child, asked: new Map() };
    let fault: unknown;
    const end = () => {
      if (link === started) link = undefined;
      for (const { reject } of started.asked.values()) reject(notHashed(fault));
      started.asked.clear();
    };
    child.on("message", (reply: HashReply) => take(started, reply));
    child.on("error", (error) => {
      fault = error;
      // One that never ran does not exit.
      if (child.pid === undefined) end();
    });
    child.on("exit", (code, signal) => {
      fault ??= new Error(`the process that hashes passwords ended with ${signal ?? code}`);
      end();
    });
    standBack(child);
    hold(started, false);
    return started;
  }

  function ask(request: { readonly make: Making } | { readonly check: Checking }): Promise<string | PasswordVerdict> {
    if (closed) return Promise.reject(notHashed(undefined));
    link ??= start();
    const { child, asked } = link;
    number += 1;
    const numbered: HashRequest = { ...request, number };
    hold(link, true);
    return new Promise((resolve, reject) => {
      asked.set(number, { resolve, reject });
      // What cannot be sent is refused as the process ends.
      child.send(numbered, () => {});
    });
  }

  return {
    make: async (make) => (await ask({ make })) as string,
    check: async (check) => (await ask({ check })) as PasswordVerdict,
    async close() {
      closed = true;
      const child = link?.child;
      if (child?.pid === undefined) return;
      const ended = new Promise((resolve) => child.once("exit", resolve));
      child.ref();
      child.kill("SIGKILL");
      await ended;
    },
  };
}

function take(link: Link, reply: HashReply): void {
  const asked = link.asked.get(reply.number);
  link.asked.delete(reply.number);
  if (link.asked.size === 0) hold(link, false);
  if ("failed" in reply) asked?.reject(new Error(`a password could not be hashed: ${reply.failed}`));
  else asked?.resolve(reply.done);
}

/** Whether this process goes on while nothing but the other one is left. */
function hold({ child }: Link, hold: boolean): void {
  if (hold) {
    child.ref();
    child.channel?.ref();
  } else {
    child.unref();
    child.channel?.unref();
  }
}

/** Before it has threads, which go by what it has when they start. */
function standBack({ pid }: ChildProcess): void {
  if (pid === undefined) return;
  try {
    setPriority(pid, Math.min(getPriority() + NICENESS, constants.priority.PRIORITY_LOW));
  } catch {
    // It hashes all the same.
  }
}

function notHashed(cause: unknown): GalleyError {
  const message = "passwords cannot be hashed at the moment: try again";
  return new GalleyError("unavailable", message, { outcome: "not_applied" }, cause);
}
