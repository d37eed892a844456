/** What is stored in two worlds that differ in nothing but what one caller may not see. */
import type { Random } from "./trap-pool.ts";
import type { Fields, WorldCaller, WorldRules } from "./two-worlds-rules.ts";

/** Begins whatever text is hidden: it stands in no answer. */
export const CANARY = "canary";
const TEAMS = ["t1", "t2", "t3"];
const POSTS = 12;
const HIDDEN_POSTS = 6;

export interface Stored {
  readonly collection: string;
  readonly id: string;
  readonly document: Fields;
}

export interface Worlds {
  /** Of each world. */
  readonly stored: readonly [Stored[], Stored[]];
  /** Posts that both have. */
  readonly visible: readonly string[];
  /** Posts that at least one has, and the caller reaches in none. */
  readonly hidden: readonly string[];
  /** Hidden fields of the posts that both have, anew and different: what others do meanwhile. */
  others(): readonly [Stored, Stored] | undefined;
}

export function randomWorlds(random: Random, rules: WorldRules, caller: WorldCaller): Worlds {
  let canaries = 0;
  const canary = () => `${CANARY}-${canaries++}`;
  const hiddenValue = (): unknown => {
    if (random.chance(50)) return canary();
    return random.pick<unknown>([1, 7.5, true, null, [canary()], { a: canary() }, [{ cost: 3 }], undefined]);
  };
  const memberships = [
    ...caller.teams.map((teamId) => ({
      teamId,
      userId: caller.id,
      role: caller.runs.includes(teamId) ? "admin" : "member",
    })),
  ].map((document, i): Stored => ({ collection: "members", id: `mine${i}`, document }));
  const othersMembers = () =>
    Array.from({ length: random.below(4) }, (_, i): Stored => {
      const document = { teamId: random.pick(TEAMS), userId: random.pick(["u2", "u3", canary()]), role: "admin" };
      return { collection: "members", id: `other${i}`, document };
    });
  const people = (id: string, open: boolean): Stored => ({
    ...{ collection: "people", id },
    document: { public: open, name: open ? `name of ${id}` : canary(), phone: canary() },
  });
  const withHidden = (base: Fields): Fields => {
    const document: Record<string, unknown> = { ...base };
    for (const path of rules.hidden(base, caller)) setHidden(document, path, hiddenValue());
    return document;
  };
  const base: Stored[] = [];
  const posts: [Stored[], Stored[]] = [[], []];
  for (let i = 0; i < POSTS; i++) {
    const document = randomPost(random, caller, `v${i}`);
    const id = `p${i}`;
    // Whether or not it is reached, both have it; only its hidden fields differ.
    base.push({ collection: "posts", id, document });
    for (const world of posts) world.push({ collection: "posts", id, document: withHidden(document) });
  }
  const hidden = new Set<string>();
  for (const world of posts) {
    for (let i = 0; i < HIDDEN_POSTS; i++) {
      const document = randomPost(random, caller, `h${random.below(HIDDEN_POSTS)}-${i}`);
      const id = `x${random.below(2 * HIDDEN_POSTS)}`;
      if (rules.reaches(document, caller) || world.some((other) => other.id === id)) continue;
      hidden.add(id);
      world.push({ collection: "posts", id, document: { ...document, title: canary(), secret: canary() } });
    }
  }
  const common = [...memberships, people("a1", true), people("a2", true)];
  const stored = posts.map((world, i) => [
    ...common,
    ...world,
    ...othersMembers(),
    ...(i === 0 ? [people("a3", false)] : [people("a4", false)]),
  ]) as [Stored[], Stored[]];
  return {
    stored,
    visible: base.map(({ id }) => id),
    hidden: [...hidden],
    others() {
      const post = random.pick(base);
      const paths = rules.hidden(post.document, caller).filter((path) => !path.includes("."));
      if (paths.length === 0) return undefined;
      const path = random.pick(paths);
      const change = (): Stored => ({ ...post, document: { [path]: hiddenValue() ?? canary() } });
      return [change(), change()];
    },
  };
}

function randomPost(random: Random, { id }: WorldCaller, slug: string): Fields {
  const document: Record<string, unknown> = { title: random.pick(["a", "b", "c"]), n: random.below(5) };
  const ownerId = random.pick<unknown>([id, "u2", "u2", null, undefined, [id, "u2"], [], ""]);
  if (ownerId !== undefined) document.ownerId = ownerId;
  if (random.chance(70)) document.teamId = random.pick<unknown>([...TEAMS, ["t1", "t2"], null]);
  if (random.chance(60)) document.open = random.chance(50);
  if (random.chance(50)) document.author = random.pick(["a1", "a2", "a3", "a4", "a5"]);
  if (random.chance(40)) document.slug = slug;
  if (random.chance(40)) document.profile = { city: random.pick(["x", "y"]) };
  if (random.chance(40)) document.items = [{ price: 1 }, { price: 2 }];
  if (random.chance(50)) document.score = random.below(3);
  return document;
}

/** Sets what a mask hides, in every object that its path leads through. */
function setHidden(document: Record<string, unknown>, path: string, value: unknown): void {
  if (value === undefined) return;
  const [first, second] = path.split(".") as [string, string | undefined];
  if (second === undefined) document[first] = value;
  else if (Array.isArray(document[first])) {
    document[first] = document[first].map((element: object) => ({ ...element, [second]: value }));
  } else if (document[first] !== undefined) document[first] = { ...(document[first] as object), [second]: value };
}
