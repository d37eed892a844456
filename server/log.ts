/** Where services write what operators should know. pino's shape, so the server's own logger fits as it is. */
export interface Log {
  info(details: object, message: string): void;
  warn(details: object, message: string): void;
  error(details: object, message: string): void;
}
