import type { Change, DocumentStore, Row } from "../../stores/document-store.ts";
import { NO_RULES, parseRules } from "../parsing/rules.ts";
import type { RuleSet } from "../rule-tree.ts";
import {
  DamagedRules,
  jsonOf,
  POINTER,
  pointerIn,
  RULES,
  readPointer,
  readVersion,
  type StoredVersion,
  versionIn,
} from "./rule-versions.ts";

/** The rules that this node judges by: those of every node once a publish is answered. */
export interface HeldRules {
  /** Those in force here. Replaced by the tail as it passes a publish, before any later commit is told. */
  current(): RuleSet;
  /** Resolves once they are read that were in force when commits were missed last. @throws what the store does */
  read(): Promise<void>;
  close(): void;
}

export interface HoldRulesOptions {
  readonly store: DocumentStore;
  /** Called right after `current()` changed. */
  readonly changed: () => void;
  /** Told why what is stored cannot be used: everything is closed then, until the next publish. */
  readonly damaged?: (reason: string) => void;
}

/**
 * Reads the rules in force and follows what is published. Each version is parsed once. A set that cannot be read (damaged,
 * of a newer Galley, or gone) closes everything: never the set before it, which somebody meant to end.
 */
export async function holdRules({ store, changed, damaged = () => {} }: HoldRulesOptions): Promise<HeldRules> {
  let rules = NO_RULES;
  /** Raised by whatever makes a reading under way out of date: what the tail tells is newer, and so is a later reading. */
  let turn = 0;
  let loading = Promise.resolve();

  const tail = store.tail(
    undefined,
    ({ changes, dropped }) => {
      if (dropped?.includes(RULES.name)) takeDrop();
      const pointer = changes.find(({ collection, id }) => collection === RULES.name && id === POINTER);
      if (pointer) takePublish(pointer.next, changes);
    },
    loadAnew,
  );
  try {
    await loadAnew();
  } catch (error) {
    tail.close();
    throw error;
  }
  return { current: () => rules, read: () => loading, close: () => tail.close() };

  function loadAnew(): Promise<void> {
    loading = load();
    return loading;
  }

  /** A publish is one commit, which brings all of its texts: nothing has to be asked for. */
  function takePublish(pointer: Row | undefined, changes: readonly Change[]): void {
    turn++;
    const rows = new Map<string, Row | undefined>();
    for (const { collection, id, next } of changes) if (collection === RULES.name) rows.set(id, next);
    let taken: RuleSet | undefined;
    try {
      const { version } = pointerIn(pointer);
      taken = version === 0 ? NO_RULES : parsed(versionIn(version, (id) => rows.get(id)));
    } catch {
      // Somebody moved the pointer by hand. Closed until the version that it names is read.
      load().catch((error: unknown) => damaged(`they cannot be read: ${String(error)}`));
    }
    hold(taken ?? NO_RULES);
  }

  function takeDrop(): void {
    turn++;
    damaged("their collection was dropped");
    hold(NO_RULES);
    store.ensureCollection(RULES).catch((error: unknown) => {
      damaged(`their collection could not be made anew: ${String(error)}`);
    });
  }

  /** Reads what is in force: at the start, and when commits were missed. */
  async function load(): Promise<void> {
    const mine = ++turn;
    await store.ensureCollection(RULES);
    let read = NO_RULES;
    let fault: string | undefined;
    try {
      const { version } = await readPointer(store);
      const stored = version === 0 ? undefined : await readVersion(store, version);
      if (stored) read = parsed(stored);
      else if (version !== 0) fault = `version ${version} is missing`;
    } catch (error) {
      if (!(error instanceof DamagedRules)) throw error;
      fault = error.message;
    }
    if (mine !== turn) return;
    if (fault !== undefined) damaged(fault);
    hold(read);
  }

  function parsed({ version, rules: text }: StoredVersion): RuleSet {
    const { rules: set, faults } = parseRules(jsonOf(text), version);
    const [first] = faults;
    if (!first) return set;
    damaged(`version ${version} is not valid here: ${first.message}`);
    return NO_RULES;
  }

  function hold(next: RuleSet): void {
    if (next === rules) return;
    rules = next;
    changed();
  }
}
