/**
 * Ends this process, once nothing is left to do, without Node's own clean-up: in 20.20 that spins for ever
 * (`Environment::CleanupHandles`) if a request of a connection that a killed server cut off has never come to an end.
 */
export function leaveWithoutCleanUp(): void {
  process.once("exit", () => process.exit());
}
