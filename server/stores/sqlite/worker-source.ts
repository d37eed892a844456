/**
 * Where the writer's thread is loaded from: if nothing else is named, beside this file, in the source as in the build.
 * Running from TypeScript, as tests do, the thread registers tsx first, because threads do not inherit loaders.
 */
export function writerSource(named: URL | undefined): { readonly source: string | URL; readonly eval: boolean } {
  const { url: here } = import.meta;
  const url = named?.href ?? new URL(here.endsWith(".ts") ? "writer-thread.ts" : "writer-thread.js", here).href;
  if (!url.endsWith(".ts")) return { source: new URL(url), eval: false };
  const source = `import("tsx/esm/api").then(({ register }) => { register(); return import(${JSON.stringify(url)}); });`;
  return { source, eval: true };
}
