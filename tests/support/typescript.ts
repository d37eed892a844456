/** Programs that the compiler judges, with the SDK as it is built. */
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { ROOT } from "./own-modules.ts";
import { run } from "./programs.ts";
import type { Teardown } from "./teardown.ts";

const OPTIONS = {
  ...{ strict: true, exactOptionalPropertyTypes: true, noUncheckedIndexedAccess: true, skipLibCheck: false },
  ...{ module: "esnext", moduleResolution: "bundler", target: "es2022", lib: ["es2022", "dom"], types: [] },
  noEmit: true,
};

/** Compiles some files as one program. @returns what the compiler has to say, nothing if it is content */
export async function compile(t: Teardown, files: Readonly<Record<string, string>>): Promise<string> {
  const folder = mkdtempSync(join(tmpdir(), "galley-typescript-"));
  t.teardown(() => rmSync(folder, { recursive: true, force: true }));
  mkdirSync(join(folder, "node_modules/@galley"), { recursive: true });
  symlinkSync(join(ROOT, "sdk"), join(folder, "node_modules/@galley/sdk"));
  const config = { compilerOptions: OPTIONS, files: Object.keys(files) };
  for (const [name, text] of Object.entries({ ...files, "tsconfig.json": JSON.stringify(config) })) {
    writeFileSync(join(folder, name), text);
  }
  return run(process.execPath, [join(ROOT, "node_modules/typescript/bin/tsc"), "-p", folder]).then(
    () => "",
    ({ stdout, stderr }) => `${stdout}${stderr}`,
  );
}
