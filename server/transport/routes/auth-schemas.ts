import { object, type Schema } from "../schema.ts";

/** Shapes of accounts; accounts.md 6. */
const TIME: Schema = { type: "string", format: "date-time" };
const TIME_OR_NULL: Schema = { type: ["string", "null"], format: "date-time" };
const TEXT_OR_NULL: Schema = { type: ["string", "null"] };
export const DATA: Schema = { type: "object", description: "Plain JSON, without dates, int64 or binary." };

export const ME = object({
  id: { type: "string" },
  email: TEXT_OR_NULL,
  emailProven: { type: "boolean" },
  guest: { type: "boolean" },
  name: TEXT_OR_NULL,
  locale: TEXT_OR_NULL,
  data: DATA,
  roles: { type: "array", items: { type: "string" } },
  claims: DATA,
  role: { type: "string", enum: ["owner", "editor", "viewer"], description: "Of admins only." },
  mfa: object({
    totp: { type: "boolean" },
    passkeys: { type: "integer" },
    recoveryLeft: { type: "integer" },
  }),
  identities: { type: "array", items: { type: "object" } },
  createdAt: TIME,
  lastSignInAt: TIME_OR_NULL,
});

export const SESSION = object({
  id: { type: "string" },
  user: ME,
  accessToken: { type: "string" },
  expiresIn: { type: "integer", description: "Seconds for which the access token holds." },
  refreshToken: { type: "string", description: "Good once; absent where the cookie holds it." },
  deviceToken: { type: "string", description: "Sent with later sign-ins it tells that this device is known." },
});

export const NEXT = object({
  kind: { type: "string", enum: ["email"] },
  challenge: { type: "string" },
  expiresAt: TIME,
});

export const TOKENS = object({
  accessToken: { type: "string" },
  expiresIn: { type: "integer" },
  refreshToken: { type: "string" },
});

export const DEVICE = object({
  id: { type: "string" },
  current: { type: "boolean" },
  kind: { type: "string", enum: ["normal"] },
  device: object({ name: TEXT_OR_NULL, os: { type: "string" }, app: { type: "string" } }),
  network: { type: "string" },
  createdAt: TIME,
  lastUsedAt: TIME,
  endsAt: TIME,
  endedAt: TIME_OR_NULL,
  mfa: { type: "boolean" },
});

/** Tokens, codes and passwords as clients send them: any text, of bounded length. */
export const EMAIL: Schema = { type: "string", maxLength: 1000, examples: ["ada@example.org"] };
export const PASSWORD: Schema = { type: "string", maxLength: 4096, examples: ["correct horse battery staple"] };
export const SECRET: Schema = { type: "string", maxLength: 4096 };
export const POOL: Schema = { type: "string", enum: ["user", "admin"], description: "`user` if absent." };
export const DEVICE_NAME: Schema = { type: "string", minLength: 1, maxLength: 100 };
export const PUBLIC_PROFILE: Schema = {
  type: "object",
  description: "The new person's document in the collection `users`, without `_id`, as its rules let them create it.",
};
export const PROFILE = {
  name: TEXT_OR_NULL,
  locale: TEXT_OR_NULL,
  data: DATA,
} as const;
