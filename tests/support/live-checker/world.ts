/** The state of the store at one position, made of its commits alone, and what each question would show there. */
import type { LoggedCommit } from "./commit-log.ts";
import { Held } from "./held.ts";
import type { Question } from "./question.ts";
import { MOST_TEAMS, type Person, type Variant, variantIn } from "./rules.ts";
import { View } from "./view.ts";

/** Who holds a socket: the id of a user, the full key, or nobody. */
export type Who = string | typeof KEY | typeof NOBODY;
export const KEY = " key";
export const NOBODY = " nobody";

/** Kept of each name. */
const MOST_TURNS = 20_000;
const dropOf = (collection: string) => ` drop ${collection}`;
const LOSS = " loss";
/** Views kept that nobody uses: who comes back asks the same questions. */
const MOST_IDLE = 200;

export class World {
  /** Of the last commit; empty before the first. */
  position = "";
  /** The same as a text that compares across histories. */
  order = "";
  variant: Variant = 0;
  commits = 0;
  /** What the last commit changed without another version, as other programs may. */
  readonly #kept = new Set<string>();
  readonly #orderOf: (position: string) => string | undefined;
  readonly #documents = new Map<string, Map<string, Held>>();
  readonly #views = new Map<string, View>();
  /** Those that nobody uses, the longest first. They stay as they are. */
  readonly #idle = new Map<string, View>();
  readonly #people = new Map<Who, Person>();
  /** Where rights of somebody may have changed last, and where a collection went. */
  readonly #touched = new Map<string, string>();
  readonly #dropped = new Map<string, string>();
  /** All commits that did either, by number: of somebody, of everybody (""), of a collection, and where a node lost track. */
  readonly #turns = new Map<string, number[]>();

  constructor(orderOf: (position: string) => string | undefined) {
    this.#orderOf = orderOf;
  }

  /** As the log says. */
  orderOf(position: string): string | undefined {
    return this.#orderOf(position);
  }

  documentsOf(collection: string): ReadonlyMap<string, Held> {
    return this.#of(collection);
  }

  /** Whether the last commit changed a document and left its version as it was. */
  isKept(collection: string, id: string): boolean {
    return this.#kept.has(`${collection}/${id}`);
  }

  /** Where rights of somebody may have changed last; empty if they never have. */
  touched(who: Who): string {
    const [own = "", all = ""] = [this.#touched.get(who), this.#touched.get("")];
    return own > all ? own : all;
  }

  /** Where a collection was dropped last. */
  dropped(collection: string): string {
    return this.#dropped.get(collection) ?? "";
  }

  /** Some node told a result anew because it had lost track of commits before this position. */
  noteLoss(): void {
    this.#noteTurn(LOSS);
  }

  /** Whether rights of somebody may have changed, a collection went, or a loss was told, after one commit's number, up to another. */
  turned(who: Who, collection: string, after: number, until: number): boolean {
    return [who, "", dropOf(collection), LOSS].some((name) =>
      this.#turns.get(name)?.some((commit) => commit > after && commit <= until),
    );
  }

  personOf(who: Who): Person {
    const known = this.#people.get(who);
    if (known) return known;
    const person = this.#person(who);
    this.#people.set(who, person);
    return person;
  }

  /** What a question shows to somebody, kept true until all who asked for it have released it. */
  view(question: Question, who: Who): View {
    const name = `${who} ${question.text}`;
    const view = this.#views.get(name) ?? this.#woken(name) ?? new View(this, question, who);
    this.#views.set(name, view);
    view.users++;
    return view;
  }

  release(view: View): void {
    if (--view.users > 0) return;
    const name = `${view.who} ${view.question.text}`;
    this.#views.delete(name);
    this.#idle.set(name, view);
    if (this.#idle.size <= MOST_IDLE) return;
    for (const [oldest] of this.#idle) {
      this.#idle.delete(oldest);
      break;
    }
  }

  #woken(name: string): View | undefined {
    const view = this.#idle.get(name);
    this.#idle.delete(name);
    view?.renew();
    return view;
  }

  apply({ position, changes, dropped = [], anew }: LoggedCommit): void {
    const order = this.#orderOf(position);
    if (order === undefined || order <= this.order) throw new Error(`the log goes back: ${this.order} to ${position}`);
    this.position = position;
    this.order = order;
    this.commits++;
    let all = anew === true;
    if (anew) this.#documents.clear();
    for (const name of dropped) {
      this.#dropped.set(name, order);
      this.#noteTurn(dropOf(name));
      this.#of(name).clear();
      all = true;
    }
    const judged = new Set<string>();
    this.#kept.clear();
    for (const { collection, id, document } of changes) {
      const rows = this.#of(collection);
      const before = rows.get(id);
      const held = document && new Held(document);
      if (held && held.row.version === before?.row.version) this.#kept.add(`${collection}/${id}`);
      if (held) rows.set(id, held);
      else rows.delete(id);
      for (const who of this.#concerned(collection, id, before, held)) judged.add(who);
    }
    if (all) judged.add("");
    if (judged.has("")) this.variant = this.#variant();
    for (const who of judged) {
      this.#touched.set(who, order);
      this.#noteTurn(who);
    }
    if (judged.has("")) this.#people.clear();
    else for (const who of judged) this.#people.delete(who);
    for (const view of this.#views.values()) {
      if (all || judged.has("") || judged.has(view.who)) view.rebuild();
      else view.follow(changes);
    }
  }

  /** Whose rights a change may concern; empty: everybody's. */
  #concerned(collection: string, id: string, before: Held | undefined, after: Held | undefined): string[] {
    if (collection === "members") {
      return [before, after].flatMap((held) => (held ? [String(held.fields.userId)] : []));
    }
    if (collection === "_users") return [id];
    return collection === "_rules" && id === "current" ? [""] : [];
  }

  /** Of the version that the pointer names. Pieces come in the pointer's commit, or before it. */
  #variant(): Variant {
    const rules = this.#of("_rules");
    const version = String(rules.get("current")?.fields.version).padStart(10, "0");
    return variantIn(String(rules.get(`v${version}.rules.0`)?.fields.text));
  }

  #person(who: Who): Person {
    if (who === KEY || who === NOBODY) return { id: null, key: who === KEY, roles: [], teams: null };
    const user = this.#of("_users").get(who);
    const teams = new Set<string>();
    for (const { fields } of this.#of("members").values()) {
      if (fields.userId === who && typeof fields.team === "string") teams.add(fields.team);
    }
    return {
      id: who,
      key: false,
      roles: (user?.fields.roles as string[] | undefined) ?? [],
      teams: teams.size > MOST_TEAMS ? null : teams,
    };
  }

  #noteTurn(name: string): void {
    const turns = this.#turns.get(name) ?? [];
    this.#turns.set(name, turns);
    turns.push(this.commits);
    // Nobody asks for what lies so far back.
    if (turns.length > MOST_TURNS) turns.splice(0, MOST_TURNS / 2);
  }

  #of(collection: string): Map<string, Held> {
    const known = this.#documents.get(collection);
    if (known) return known;
    const made = new Map<string, Held>();
    this.#documents.set(collection, made);
    return made;
  }
}
