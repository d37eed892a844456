/** Rounds of every operation of accounts, by many at once, each cut off by kill -9 at a random moment. */
import type { DocumentStore } from "../../server/stores/document-store.ts";
import { AccountLedger } from "./account-ledger.ts";
import type { Operation, Person } from "./account-operations.ts";
import { dumpAccounts } from "./account-shape.ts";
import { type Random, seeded } from "./seeded.ts";
import { startGalley } from "./server-process.ts";
import { until } from "./until.ts";

export interface AccountKills {
  readonly folder: string;
  readonly env: Readonly<Record<string, string>>;
  /** Opens the store that the killed process left. */
  readonly openStore: () => Promise<DocumentStore>;
  /** It is read beside the next process, which ends what the killed one has left under way. */
  readonly shared: boolean;
  readonly rounds: number;
  readonly seed: number;
}

const PEOPLE = 10;
/** Answered operations before a kill: so many, and at most so many more. */
const LEAST = 10;
const MORE = 50;
/** Hashes at once: those beyond would only wait in the queue, and the kill would cut nothing off but that. */
const HASHING = 2;

export async function accountKillRounds(setting: AccountKills): Promise<AccountLedger> {
  const { folder, env, openStore, shared, rounds, seed } = setting;
  const random = seeded(seed);
  const start = () => startGalley(folder, { ...env, GALLEY_TRUSTED_PROXIES: "127.0.0.1" });
  let server = await start();
  const ledger = new AccountLedger(() => server.url, folder);
  const { people, breaches } = ledger;
  await ledger.prepare();
  while (people.length < PEOPLE) ledger.join();
  let hashing = 0;

  async function live(person: Person): Promise<void> {
    for (let goesOn = true; goesOn; ) {
      const fitting = ledger.fitting(person).filter(([, { hashes }]) => !hashes || hashing < HASHING);
      const [name, { hashes }] = choose(random, fitting);
      if (hashes) hashing++;
      goesOn = await ledger.act(person, name);
      if (hashes) hashing--;
    }
  }

  for (let round = 0; round < rounds && breaches.length === 0; round++) {
    const target = ledger.answered + LEAST + Math.floor(random() * MORE);
    const lives = Promise.all(people.map(live));
    await until(() => ledger.answered >= target || breaches.length > 0, 60, `round ${round}: ${target} answers`);
    await server.end("SIGKILL");
    await lives;
    if (shared) server = await start();
    const store = await openStore();
    const dump = await dumpAccounts(store);
    await store.close();
    if (!shared) server = await start();
    ledger.settle(dump);
    await Promise.all(people.map((person) => ledger.prove(person)));
  }
  await server.end("SIGTERM");
  return ledger;
}

function choose<T extends readonly [string, Operation]>(random: Random, list: readonly T[]): T {
  let left = random() * list.reduce((sum, [, { weight }]) => sum + weight, 0);
  for (const one of list) {
    left -= one[1].weight;
    if (left < 0) return one;
  }
  return list.at(-1) as T;
}
