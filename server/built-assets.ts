import { existsSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

/** Where the build puts what browsers load: beside this package, whether it runs from its source or from its build. */
export function builtAssets(): { readonly sdk: string; readonly console: string } {
  let root = dirname(fileURLToPath(import.meta.url));
  // server/ in the source, server/dist/ in the build; both below the folder that holds the package.json of all.
  while (!existsSync(join(root, "sdk", "package.json")) && dirname(root) !== root) root = dirname(root);
  return { sdk: join(root, "sdk", "dist"), console: join(root, "admin-ui", "dist") };
}
