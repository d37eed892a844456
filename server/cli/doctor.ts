import { statfsSync } from "node:fs";
import { prepareDataFolder } from "../data-folder.ts";
import { type Call, type Command, CommandError } from "./command.ts";
import { dataFolder, type Reach, reach, readText } from "./reach.ts";

interface Finding {
  readonly check: string;
  readonly ok: boolean;
  readonly found: string;
  readonly advice?: string;
}

/** Clocks further apart than this make version numbers and expiries surprising. */
const CLOCK_SKEW_MS = 2000;
const DISK_FREE_BYTES = 1024 ** 3;

export const command: Command = {
  usage: "doctor",
  help: "Checks what this Galley needs: versions, the data folder and its disk, the server and its store, the clock.",
  positionals: 0,
  options: {},
  async run(call) {
    const folder = dataFolder(call);
    const findings: Finding[] = [nodeVersion(), disk(folder), ...(await database(call, folder))];
    if (findings.every(({ check, ok }) => ok || check !== "MongoDB")) {
      const galley = await reach(call);
      try {
        findings.push(...(await server(galley)));
      } finally {
        await galley.close();
      }
    }
    for (const finding of findings) call.print(call.json ? JSON.stringify(finding) : line(finding));
    const bad = findings.filter((f) => !f.ok).length;
    if (bad > 0) throw new CommandError(`${bad} of ${findings.length} checks failed`);
  },
};

function nodeVersion(): Finding {
  const [major = 0, minor = 0] = process.versions.node.split(".").map(Number);
  const ok = major > 20 || (major === 20 && minor >= 19);
  return { check: "Node.js", ok, found: process.versions.node, ...(ok ? {} : { advice: "install 20.19 or newer" }) };
}

function disk(folder: string): Finding {
  makeFolder(folder);
  const { bavail, bsize } = statfsSync(folder);
  const free = bavail * bsize;
  const ok = free >= DISK_FREE_BYTES;
  const found = `${(free / 1024 ** 3).toFixed(1)} GiB free for ${folder}`;
  return { check: "disk", ok, found, ...(ok ? {} : { advice: "make room: writes fail when the disk is full" }) };
}

function makeFolder(folder: string): void {
  try {
    prepareDataFolder(folder);
  } catch (error) {
    throw new CommandError((error as Error).message);
  }
}

/** Looked at directly, so that it is told what is wrong with one that keeps Galley from starting. */
async function database(call: Call, folder: string): Promise<Finding[]> {
  if (call.env.GALLEY_MONGODB_URL === undefined && call.env.GALLEY_MONGODB_URL_FILE === undefined) return [];
  const { databaseOf } = await import("./reach-app.ts");
  const found = await databaseOf(call, folder).catch((error: Error) => {
    throw new CommandError(error.message);
  });
  return found ? [{ check: "MongoDB", ...found }] : [];
}

async function server(galley: Reach): Promise<Finding[]> {
  const ready = await galley.send({ method: "GET", path: "/v1/ready" });
  await readText(ready.body);
  const store: Finding = {
    check: "store",
    ok: ready.status === 200,
    found:
      ready.status === 200 ? `answers, at ${galley.where}` : `does not answer (${ready.status}), at ${galley.where}`,
  };
  const keyed = await galley.send({ method: "GET", path: "/v1/admin/collections" });
  await readText(keyed.body);
  const access: Finding = {
    check: "access",
    ok: keyed.status === 200,
    found: keyed.status === 200 ? "the key may read the admin API" : `the admin API answered ${keyed.status}`,
    ...(keyed.status === 200
      ? {}
      : {
          advice:
            keyed.status === 401 ? "the key is not valid there" : "the key needs the scope admin:collections:read",
        }),
  };
  return [store, access, ...clock(keyed.date), ...(await warnings(galley))];
}

/** What the server has noticed, for keys that may read the settings. */
async function warnings(galley: Reach): Promise<Finding[]> {
  const { status, body } = await galley.send({ method: "GET", path: "/v1/admin/settings" });
  const text = await readText(body);
  if (status !== 200) return [];
  const { warnings = [] } = JSON.parse(text) as { readonly warnings?: readonly string[] };
  // No failure of a check: whoever sends a header can bring this about.
  return warnings.map((warning) => ({ check: "warning", ok: true, found: warning }));
}

/** Compares the server's Date header, which has whole seconds, with this machine's clock. */
function clock(date: string | undefined): Finding[] {
  const time = Date.parse(date ?? "");
  if (Number.isNaN(time)) return [];
  const skew = Math.max(0, Math.abs(Date.now() - time) - 1000);
  const ok = skew <= CLOCK_SKEW_MS;
  const found = ok ? "agrees with the server's" : `is ${Math.round(skew / 1000)} s apart from the server's`;
  return [{ check: "clock", ok, found, ...(ok ? {} : { advice: "run a time service on both machines" }) }];
}

function line({ check, ok, found, advice }: Finding): string {
  return `${ok ? "ok  " : "FAIL"}  ${check}: ${found}${advice === undefined ? "" : `; ${advice}`}`;
}
