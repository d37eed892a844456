import { servingCommand } from "./serving.ts";

export const command = servingCommand(
  "start",
  "production",
  "Runs Galley in production mode. Beyond loopback it needs GALLEY_PUBLIC_URL.",
);
