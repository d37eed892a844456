import { servingCommand } from "./serving.ts";

export const command = servingCommand(
  "dev",
  "development",
  "Runs Galley for building apps on this machine: loopback only, any localhost page may call it, missing indexes are\ndeclared by themselves.",
);
