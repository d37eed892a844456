/** The set-up link of a first start leads to the console, which leaves it to the page for links. */
if (location.hash.startsWith("#/set-up")) location.replace(`/auth/set-up${location.hash}`);

/** Fills in what only the running server knows: its address, and how it is. */
for (const place of document.querySelectorAll("[data-origin]")) place.textContent = location.origin;

const CHECKS = [
  { id: "process", path: "/v1/health", well: "running" },
  { id: "data", path: "/v1/ready", well: "ready" },
];
const EVERY = 5000;

async function show({ id, path, well }) {
  const place = document.getElementById(id);
  const answer = await fetch(path, { cache: "no-store" }).catch(() => undefined);
  const state = answer?.ok ? "well" : "ill";
  const text = answer?.ok ? well : answer ? `not ready (HTTP ${answer.status})` : "not reachable";
  // Told to screen readers only when it changes.
  if (place.textContent === text) return;
  place.dataset.state = state;
  place.textContent = text;
}

async function check() {
  if (!document.hidden) await Promise.all(CHECKS.map(show));
  setTimeout(check, EVERY);
}

document.addEventListener("visibilitychange", () => {
  if (!document.hidden) for (const each of CHECKS) show(each);
});
check();
