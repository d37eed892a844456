import type { Server } from "node:http";
import type { AddressInfo } from "node:net";

/** Prints the address that the harness waits for, and ends on SIGTERM. */
export function tellAddress(server: Server): void {
  console.log(`http://127.0.0.1:${(server.address() as AddressInfo).port}`);
  process.once("SIGTERM", () => process.exit(0));
}
