/**
 * Where the writer's thread is loaded from: if nothing else is named, beside this file, compiled like it. Running from TypeScript sources, as tests
 * do, the thread registers tsx first, because threads do not inherit loaders.
 */
export function writerSource(named: URL | undefined): { readonly source: string | URL; readonly eval: boolean } {
  const url = named?.href ?? import.meta.url.replace(/worker-source(\.[jt]s)$/, "writer-thread$1");
  if (!url.endsWith(".ts")) return { source: new URL(url), eval: false };
  const source = `import("tsx/esm/api").then(({ register }) => { register(); return import(${JSON.stringify(url)}); });`;
  return { source, eval: true };
}
