import { type Caller, Unsettled } from "../rule-binder.ts";

/** Asks again each time that the lookups which a verdict needs have been read. */
export async function settled<T>({ lookups }: Pick<Caller, "lookups">, ask: () => T): Promise<T> {
  for (;;) {
    try {
      return ask();
    } catch (error) {
      if (!(error instanceof Unsettled)) throw error;
      await lookups.settle();
    }
  }
}
