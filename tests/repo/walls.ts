/**
 * The import walls of docs/architecture.md, checked by reading every import of every source file. Run by `npm run
 * lint`; exits 1 and names each import that goes through a wall.
 */
import { readFileSync } from "node:fs";
import { join, posix } from "node:path";
import { listSources } from "./sources.ts";

interface Wall {
  /** Files this wall stands around, by prefix; the first that fits counts. */
  readonly inside: string;
  /** Prefixes of files they may import, beside their own folder. */
  readonly may: readonly string[];
  /** Packages they may import; true for any. */
  readonly packages: readonly string[] | true;
  readonly why: string;
}

const SERVICES = ["documents", "accounts", "files", "realtime"];
/** The ports, and what any service does with one. */
const PORTS = ["document-store", "file-store", "attempts", "pages", "expired", "notes"].map(
  (name) => `server/stores/${name}.ts`,
);

export const WALLS: readonly Wall[] = [
  { inside: "sdk/protocol/", may: [], packages: [], why: "the language imports nothing" },
  { inside: "sdk/react/", may: ["sdk/"], packages: ["react"], why: "hooks know React and the SDK" },
  { inside: "sdk/node/", may: ["sdk/"], packages: ["node:"], why: "what only Node has" },
  { inside: "sdk/", may: ["sdk/"], packages: [], why: "the SDK imports only itself" },
  { inside: "admin-ui/", may: ["admin-ui/"], packages: true, why: "the console talks only through the SDK" },
  {
    inside: "server/access/",
    // How alike two words are is nobody's service: configuration and rules both ask what a misspelt name meant.
    may: ["sdk/protocol/", "server/nearest.ts", ...PORTS],
    packages: ["node:"],
    why: "access knows no service",
  },
  ...SERVICES.map((service) => ({
    inside: `server/${service}/`,
    may: [
      ...["sdk/protocol/", "server/access/", "server/log.ts", "server/recent.ts", "server/repeating.ts"],
      // What live queries ask of documents: types alone.
      "server/realtime/contract.ts",
      ...PORTS,
    ],
    packages: true as const,
    why: "a service knows access, the ports and the language, never another service's insides",
  })),
  ...["sqlite", "mongodb", "filesystem", "minio"].map((engine) => ({
    inside: `server/stores/${engine}/`,
    may: ["sdk/protocol/", "server/stores/*"],
    packages: true as const,
    why: "an engine knows its port and the language, never another engine",
  })),
  {
    inside: "server/stores/",
    may: ["sdk/protocol/", "server/repeating.ts", "server/stores/*"],
    packages: ["node:"],
    why: "a port names no engine",
  },
  {
    inside: "server/transport/",
    may: [
      "sdk/protocol/",
      "server/access/",
      "server/config.ts",
      "server/log.ts",
      "server/recent.ts",
      ...PORTS,
      ...SERVICES.map((s) => `server/${s}/`),
    ],
    packages: true,
    why: "transport knows access and services, no store",
  },
  {
    inside: "server/cli/",
    // `watch` is a client as apps have it; `types` reads a schema's references as the validator does.
    may: [
      "sdk/protocol/",
      "sdk/node/index.ts",
      ...["refs", "walk"].map((name) => `server/documents/schema/${name}.ts`),
      ...["app", "config", "data-folder", "main", "log"].map((name) => `server/${name}.ts`),
    ],
    packages: true,
    why: "commands talk HTTP",
  },
  {
    inside: "server/config.ts",
    may: ["sdk/protocol/", "server/config-parsers.ts", "server/nearest.ts"],
    packages: true,
    why: "configuration knows nothing",
  },
  { inside: "server/", may: ["server/", "sdk/protocol/"], packages: true, why: "only app.ts names an engine" },
];

// A text "from" in a list of names is no import.
const IMPORT = /(?<!["'])(?:\bfrom|\bimport)\s*\(?\s*["']([^"']+)["']/g;

/** Every import that goes through a wall, in words. */
export function breaches(root: string): string[] {
  const found: string[] = [];
  for (const file of listSources(root, ["sdk", "server", "admin-ui"])) {
    const wall = WALLS.find((w) => file.startsWith(w.inside));
    if (!wall) continue;
    const text = readFileSync(join(root, file), "utf8").replace(/^\s*(?:\*|\/\/|\/\*).*$/gm, "");
    for (const [, specifier] of text.matchAll(IMPORT)) {
      const target = resolve(file, specifier as string);
      if (!allowed(wall, file, target)) found.push(`${file}: imports ${specifier}; ${wall.why}`);
    }
  }
  return found;
}

function resolve(file: string, specifier: string): string {
  if (specifier === "#sdk") return "sdk/node/index.ts";
  if (specifier.startsWith("#protocol/")) return `sdk/protocol/${specifier.slice("#protocol/".length)}.ts`;
  if (specifier.startsWith(".")) return posix.join(posix.dirname(file), specifier);
  return `package:${specifier}`;
}

function allowed(wall: Wall, file: string, target: string): boolean {
  if (target.startsWith("package:")) {
    const name = target.slice("package:".length);
    return wall.packages === true || wall.packages.some((prefix) => name.startsWith(prefix));
  }
  // Files that stand alone in server/ may not name an engine; app.ts is the one that does.
  if (wall.inside === "server/" && file !== "server/app.ts" && /^server\/stores\/[^/]+\//.test(target)) return false;
  if (wall.inside.endsWith("/") && target.startsWith(wall.inside) && wall.inside !== "server/stores/") return true;
  return wall.may.some((prefix) =>
    prefix.endsWith("*")
      ? target.startsWith(prefix.slice(0, -1)) && !target.slice(prefix.length - 1).includes("/")
      : target.startsWith(prefix),
  );
}

if (process.argv[1]?.endsWith("walls.ts")) {
  const found = breaches(process.cwd());
  for (const line of found) console.error(line);
  console.log(found.length === 0 ? "Import walls hold." : `${found.length} imports go through a wall.`);
  process.exitCode = found.length === 0 ? 0 : 1;
}
