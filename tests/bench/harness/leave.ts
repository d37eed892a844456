/**
 * Ends this process, once nothing is left to do, without Node's own clean-up: in 20.20 that was seen to spin for ever, in
 * `Environment::CleanupHandles`, after servers had been killed under load. Probably a request that never ended; unproven.
 */
export function leaveWithoutCleanUp(): void {
  // It would leave before it tells of what nobody caught.
  process.once("uncaughtExceptionMonitor", (error) => console.error(error));
  process.once("exit", () => process.exit());
}
