import { readFileSync, statSync } from "node:fs";
import { isIP } from "node:net";
import { resolve } from "node:path";
import {
  folder,
  host,
  type Mode,
  mailAddress,
  mongodbUrl,
  networks,
  oneOf,
  origins,
  type Parse,
  port,
  publicUrl,
  secrets,
  serviceKey,
  smtpUrl,
} from "./config-parsers.ts";
import { nearest } from "./nearest.ts";

export type { Mode } from "./config-parsers.ts";

/** What boots the process, built once and frozen; docs/configuration.md. What admins change while it runs is data. */
export interface Config {
  readonly mode: Mode;
  readonly host: string;
  /** 0: any free port. */
  readonly port: number;
  /** Absolute. */
  readonly dataDir: string;
  /** Of a MongoDB replica set, with its password; undefined: the embedded store. */
  readonly mongodbUrl: string | undefined;
  /** `new` or `new, old`; empty: one is generated into the data folder. */
  readonly secrets: readonly string[];
  /** Presets one full-access key. */
  readonly serviceKey: string | undefined;
  /** Without a slash at the end; undefined: the loopback address it listens on. */
  readonly publicUrl: string | undefined;
  /** Exact origins, beside the server's own and, in development, every port of this machine. */
  readonly allowedOrigins: readonly string[];
  /** Addresses and CIDR networks whose forwarded headers are believed. */
  readonly trustedProxies: readonly string[];
  /** Of the mail server, with its password; undefined: mail is written to the data folder. */
  readonly smtpUrl: string | undefined;
  /** Who mail comes from; there if there is a mail server. */
  readonly mailFrom: { readonly name?: string; readonly address: string } | undefined;
  /** The first owner of the console; undefined: a set-up link is printed. */
  readonly admin: { readonly email: string; readonly password: string } | undefined;
  /** Threads of Node's pool, on which passwords are hashed. */
  readonly poolThreads: number;
  readonly logLevel: LogLevel;
  readonly logFormat: "json" | "pretty";
  /** What is odd but no fault, to be logged at start. */
  readonly warnings: readonly string[];
  /** Every variable, for admins to see what the environment fixes. */
  readonly variables: Readonly<Record<string, ShownVariable>>;
}

/** A variable as it may be shown. */
export interface ShownVariable {
  /** Whether it, its file or its flag was given. */
  readonly set: boolean;
  /** What holds, given or by default; null: nothing. Absent of secrets. */
  readonly value?: unknown;
}

export type LogLevel = (typeof LOG_LEVELS)[number];

export interface ConfigSources {
  readonly mode: Mode;
  /** Flags of the command line, by their name without dashes; they win over the environment. */
  readonly flags?: { readonly [F in keyof typeof FLAGS]?: string | undefined };
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Whether standard output is a terminal, where logs are pretty by default. */
  readonly terminal?: boolean;
}

/** Everything wrong with flags and environment, one line each. */
export class ConfigError extends Error {
  readonly faults: readonly string[];

  constructor(faults: readonly string[]) {
    super(
      `the configuration has ${faults.length === 1 ? "a fault" : `${faults.length} faults`}:\n  ${faults.join("\n  ")}`,
    );
    this.name = "ConfigError";
    this.faults = faults;
  }
}

/** What Node takes if nothing says otherwise. */
const NODE_POOL_THREADS = 4;
const LOG_LEVELS = ["trace", "debug", "info", "warn", "error", "fatal", "silent"] as const;
const LOG_FORMATS = ["json", "pretty"] as const;
const FLAGS = { host: "GALLEY_HOST", port: "GALLEY_PORT", "data-dir": "GALLEY_DATA_DIR" } as const;

/** Variables this version reads, and whether they hold a secret. Each may also be given as `<name>_FILE`. */
const VARIABLES = {
  GALLEY_HOST: false,
  GALLEY_PORT: false,
  GALLEY_DATA_DIR: false,
  GALLEY_MONGODB_URL: true,
  GALLEY_SECRET: true,
  GALLEY_SERVICE_KEY: true,
  GALLEY_PUBLIC_URL: false,
  GALLEY_ALLOWED_ORIGINS: false,
  GALLEY_TRUSTED_PROXIES: false,
  GALLEY_ADMIN_EMAIL: false,
  GALLEY_ADMIN_PASSWORD: true,
  GALLEY_SMTP_URL: true,
  GALLEY_MAIL_FROM: false,
  GALLEY_LOG_LEVEL: false,
  GALLEY_LOG_FORMAT: false,
} as const;
type Variable = keyof typeof VARIABLES;

/** Known names of features that are still to come: a setting that would silently do nothing is told. */
const LATER = [
  "GALLEY_S3_ENDPOINT",
  "GALLEY_S3_BUCKET",
  "GALLEY_S3_REGION",
  "GALLEY_S3_ACCESS_KEY",
  "GALLEY_S3_SECRET_KEY",
  "GALLEY_METRICS_TOKEN",
];
/** Read by the command line and by tests, not by the server. */
const ELSEWHERE = /^GALLEY_(?:URL|REQUIRE_SERVERS|TEST_.*)$/;

/**
 * Reads flags, then environment, then defaults.
 * @throws ConfigError with every fault at once, each naming its variable and what it expects
 */
export function readConfig(sources: ConfigSources): Config {
  const reader = new Reader(sources);
  const config: Config = {
    mode: sources.mode,
    host: reader.read("GALLEY_HOST", "127.0.0.1", host),
    port: reader.read("GALLEY_PORT", 4600, port),
    dataDir: reader.read("GALLEY_DATA_DIR", resolve("data"), folder),
    mongodbUrl: reader.read("GALLEY_MONGODB_URL", undefined, mongodbUrl),
    secrets: reader.read("GALLEY_SECRET", [], secrets),
    serviceKey: reader.read("GALLEY_SERVICE_KEY", undefined, serviceKey),
    publicUrl: reader.read("GALLEY_PUBLIC_URL", undefined, publicUrl),
    allowedOrigins: reader.read("GALLEY_ALLOWED_ORIGINS", [], origins),
    trustedProxies: reader.read("GALLEY_TRUSTED_PROXIES", [], networks),
    admin: firstAdmin(reader),
    smtpUrl: reader.read("GALLEY_SMTP_URL", undefined, smtpUrl),
    mailFrom: reader.read("GALLEY_MAIL_FROM", undefined, mailAddress),
    logLevel: reader.read("GALLEY_LOG_LEVEL", "info", oneOf(LOG_LEVELS)),
    logFormat: reader.read("GALLEY_LOG_FORMAT", sources.terminal ? "pretty" : "json", oneOf(LOG_FORMATS)),
    poolThreads: Number(sources.env.UV_THREADPOOL_SIZE) || NODE_POOL_THREADS,
    warnings: reader.warnings,
    variables: reader.shown,
  };
  reader.checkNames();
  if (!isLoopback(config.host)) {
    if (config.mode === "development") {
      reader.faults.push("GALLEY_HOST: development mode listens on loopback only; use `galley start` to serve others");
    } else if (config.publicUrl === undefined) {
      reader.faults.push("GALLEY_PUBLIC_URL: is needed to listen beyond loopback: the address that clients use");
    }
  }
  const mailFromIsFaulty = reader.faults.some((fault) => fault.startsWith("GALLEY_MAIL_FROM"));
  if (config.smtpUrl !== undefined && config.mailFrom === undefined && !mailFromIsFaulty) {
    reader.faults.push("GALLEY_MAIL_FROM: is needed with GALLEY_SMTP_URL: the address that mail comes from");
  }
  if (reader.faults.length > 0) throw new ConfigError(reader.faults);
  for (const part of [config.secrets, config.allowedOrigins, config.trustedProxies, config.warnings, config.variables])
    Object.freeze(part);
  return Object.freeze(config);
}

/** Both or none; whether they are fit for an owner is judged by the rules of accounts. */
function firstAdmin(reader: Reader): Config["admin"] {
  const email = reader.read("GALLEY_ADMIN_EMAIL", undefined, (text) => text || undefined);
  const password = reader.read("GALLEY_ADMIN_PASSWORD", undefined, (text) => text || undefined);
  if (email !== undefined && password !== undefined) return { email, password };
  if (email === password) return undefined;
  const missing = email === undefined ? "GALLEY_ADMIN_EMAIL" : "GALLEY_ADMIN_PASSWORD";
  reader.faults.push(`${missing}: is needed too: the first owner has an address and a password`);
  return undefined;
}

export function isLoopback(address: string): boolean {
  return address === "localhost" || address === "::1" || (isIP(address) === 4 && address.startsWith("127."));
}

class Reader {
  readonly faults: string[] = [];
  readonly warnings: string[] = [];
  readonly shown: Record<string, ShownVariable> = {};
  readonly #sources: ConfigSources;

  constructor(sources: ConfigSources) {
    this.#sources = sources;
  }

  read<T>(name: Variable, fallback: T, parse: Parse<T>): T {
    const given = this.#text(name);
    const value = given ? this.#parsed(given, fallback, parse) : fallback;
    const set = given !== undefined;
    this.shown[name] = VARIABLES[name] ? { set } : { set, value: value ?? null };
    return value;
  }

  #parsed<T>({ text, from }: { readonly text: string; readonly from: string }, fallback: T, parse: Parse<T>): T {
    try {
      return parse(text, this.#sources.mode);
    } catch (error) {
      this.faults.push(`${from}: ${(error as Error).message}`);
      return fallback;
    }
  }

  /** The flag, the variable or the file that `<name>_FILE` names. Both of the last two are a fault. */
  #text(name: Variable): { text: string; from: string } | undefined {
    const { env, flags = {} } = this.#sources;
    for (const [flag, variable] of Object.entries(FLAGS)) {
      const text = variable === name ? flags[flag as keyof typeof FLAGS] : undefined;
      if (text !== undefined) return { text, from: `--${flag}` };
    }
    const text = env[name];
    const file = env[`${name}_FILE`];
    if (file === undefined) return text === undefined ? undefined : { text, from: name };
    if (text !== undefined) this.faults.push(`${name}: is given together with ${name}_FILE; expects one of them`);
    try {
      if (VARIABLES[name] && (statSync(file).mode & 0o004) !== 0) {
        this.faults.push(`${name}_FILE: everyone on this machine can read ${file}; run \`chmod 600\` on it`);
      }
      return { text: readFileSync(file, "utf8").replace(/\r?\n$/, ""), from: `${name}_FILE` };
    } catch (error) {
      this.faults.push(`${name}_FILE: expects a readable file (${(error as NodeJS.ErrnoException).code})`);
      return undefined;
    }
  }

  checkNames(): void {
    const known = [...Object.keys(VARIABLES), ...LATER].flatMap((name) => [name, `${name}_FILE`]);
    for (const [name, value] of Object.entries(this.#sources.env)) {
      if (!name.startsWith("GALLEY_") || value === undefined || name in VARIABLES || ELSEWHERE.test(name)) continue;
      if (LATER.includes(name.replace(/_FILE$/, ""))) {
        this.warnings.push(`${name} is set, but this version does not use it yet`);
      } else if (!known.includes(name)) {
        const meant = nearest(name, known);
        this.warnings.push(
          `${name} is not a variable of Galley${meant === undefined ? "" : `; did you mean ${meant}?`}`,
        );
      }
    }
  }
}
