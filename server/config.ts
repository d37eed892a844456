import { readFileSync, statSync } from "node:fs";
import { isIP } from "node:net";
import { resolve } from "node:path";
import { nearest } from "./nearest.ts";

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
  readonly logLevel: LogLevel;
  readonly logFormat: "json" | "pretty";
  /** What is odd but no fault, to be logged at start. */
  readonly warnings: readonly string[];
}

/** `galley dev` and `galley start`; configuration.md "Two modes". */
export type Mode = "development" | "production";
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

const LOG_LEVELS = ["trace", "debug", "info", "warn", "error", "fatal", "silent"] as const;
const LOG_FORMATS = ["json", "pretty"] as const;
const SECRET_BYTES = 32;
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
  "GALLEY_ADMIN_EMAIL",
  "GALLEY_ADMIN_PASSWORD",
  "GALLEY_SMTP_URL",
  "GALLEY_MAIL_FROM",
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
    logLevel: reader.read("GALLEY_LOG_LEVEL", "info", oneOf(LOG_LEVELS)),
    logFormat: reader.read("GALLEY_LOG_FORMAT", sources.terminal ? "pretty" : "json", oneOf(LOG_FORMATS)),
    warnings: reader.warnings,
  };
  reader.checkNames();
  if (!isLoopback(config.host)) {
    if (config.mode === "development") {
      reader.faults.push("GALLEY_HOST: development mode listens on loopback only; use `galley start` to serve others");
    } else if (config.publicUrl === undefined) {
      reader.faults.push("GALLEY_PUBLIC_URL: is needed to listen beyond loopback: the address that clients use");
    }
  }
  if (reader.faults.length > 0) throw new ConfigError(reader.faults);
  for (const list of [config.secrets, config.allowedOrigins, config.trustedProxies, config.warnings])
    Object.freeze(list);
  return Object.freeze(config);
}

export function isLoopback(address: string): boolean {
  return address === "localhost" || address === "::1" || (isIP(address) === 4 && address.startsWith("127."));
}

/** Turns a variable's text into its value. @throws Error saying what it expects */
type Parse<T> = (text: string, mode: Mode) => T;

class Reader {
  readonly faults: string[] = [];
  readonly warnings: string[] = [];
  readonly #sources: ConfigSources;

  constructor(sources: ConfigSources) {
    this.#sources = sources;
  }

  read<T>(name: Variable, fallback: T, parse: Parse<T>): T {
    const given = this.#text(name);
    if (given === undefined) return fallback;
    try {
      return parse(given.text, this.#sources.mode);
    } catch (error) {
      this.faults.push(`${given.from}: ${(error as Error).message}`);
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

function host(text: string): string {
  if (isIP(text) !== 0 || /^[A-Za-z0-9](?:[A-Za-z0-9.-]*[A-Za-z0-9])?$/.test(text)) return text;
  throw new Error(`expects an address or host name to listen on, got ${JSON.stringify(text)}`);
}

function port(text: string): number {
  if (/^[0-9]{1,5}$/.test(text) && Number(text) <= 65535) return Number(text);
  throw new Error(`expects a port from 0 to 65535, got ${JSON.stringify(text)}`);
}

function folder(text: string): string {
  if (text === "" || text.includes("\0")) throw new Error("expects the path of a folder");
  return resolve(text);
}

/** What it says of a fault never shows the text, which may hold a password. */
function mongodbUrl(text: string): string {
  const parts = /^mongodb(?:\+srv)?:\/\/[^/?#\s]+(?:\/([^?#\s]*))?(?:\?[^#\s]*)?$/.exec(text);
  if (!parts) throw new Error("expects mongodb://host:port/database?replicaSet=name");
  if (/[/\\. "$*<>:|]|^.{64}/.test(parts[1] ?? "")) {
    throw new Error(
      'expects a database after the host that has at most 63 characters and none of / \\ . " $ * < > : |',
    );
  }
  return text;
}

function secrets(text: string, mode: Mode): string[] {
  const list = text.split(",");
  if (list.length > 2) throw new Error("expects one secret, or two as new,old while rotating");
  for (const secret of list) {
    if (Buffer.byteLength(secret) < SECRET_BYTES)
      throw new Error(`expects at least ${SECRET_BYTES} bytes in each secret`);
    refuseExample(secret, mode);
  }
  return list;
}

function serviceKey(text: string, mode: Mode): string {
  if (!/^gsk_[A-Za-z0-9_]{32,}$/.test(text)) {
    throw new Error("expects gsk_ and at least 32 further characters of A-Z a-z 0-9 _");
  }
  refuseExample(text.slice("gsk_".length), mode);
  return text;
}

/** A secret copied from a page, or typed with one finger, protects nothing; development may have it easy. */
function refuseExample(secret: string, mode: Mode): void {
  if (mode === "development") return;
  const example = /change.?me|example|placeholder|your.?secret|replace.?me/i.test(secret);
  if (example || new Set(secret).size < 4) throw new Error("looks like an example; expects a random value");
}

function publicUrl(text: string): string {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  const plain = url && /^https?:$/.test(url.protocol) && url.pathname === "/" && !/[?#@]/.test(text);
  if (!plain) throw new Error(`expects an address like https://api.example.com, got ${JSON.stringify(text)}`);
  return url.origin;
}

function origins(text: string): string[] {
  return items(text).map((item) => {
    const url = URL.canParse(item) ? new URL(item) : undefined;
    if (url && url.origin !== "null" && (item === url.origin || item === `${url.origin}/`)) return url.origin;
    throw new Error(`expects origins like https://app.example.com with commas between, got ${JSON.stringify(item)}`);
  });
}

function networks(text: string): string[] {
  return items(text).map((item) => {
    const [address = "", bits, ...rest] = item.split("/");
    const version = isIP(address);
    const max = version === 4 ? 32 : 128;
    const valid = bits === undefined || (/^[0-9]{1,3}$/.test(bits) && Number(bits) <= max);
    if (version !== 0 && valid && rest.length === 0) return item;
    throw new Error(`expects addresses or networks like 10.0.0.0/8 with commas between, got ${JSON.stringify(item)}`);
  });
}

function items(text: string): string[] {
  return text
    .split(",")
    .map((item) => item.trim())
    .filter((item) => item !== "");
}

function oneOf<const T extends string>(values: readonly T[]): Parse<T> {
  return (text) => {
    const found = values.find((value) => value === text);
    if (found === undefined) throw new Error(`expects one of ${values.join(", ")}, got ${JSON.stringify(text)}`);
    return found;
  };
}
