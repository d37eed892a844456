/** A password's hash with all that is needed to make it again: the PHC string format. */
export interface Phc {
  /** The function, as `argon2id`. */
  readonly id: string;
  readonly version: number | undefined;
  readonly costs: Readonly<Record<string, number>>;
  readonly salt: Uint8Array;
  readonly hash: Uint8Array;
}

const NUMBER = "(?:0|[1-9][0-9]{0,8})";
const COSTS = `[a-z]{1,16}=${NUMBER}(?:,[a-z]{1,16}=${NUMBER}){0,4}`;
/** At most as long as any function's text; the bare number of PBKDF2 is passlib's form. */
const FORM = new RegExp(
  `^\\$([a-z0-9-]{1,32})(?:\\$v=(${NUMBER}))?\\$(?:(${COSTS})|(${NUMBER}))\\$([A-Za-z0-9+/.]{2,180})\\$([A-Za-z0-9+/.]{2,180})$`,
);

/** Reads a PHC string; undefined if it is none. A number of costs without a name is called `i`. */
export function parsePhc(text: string): Phc | undefined {
  const [, id, version, costs, iterations, salt, hash] = FORM.exec(text) ?? [];
  if (id === undefined || salt === undefined || hash === undefined) return undefined;
  const named = (costs ?? `i=${iterations}`).split(",").map((cost): [string, number] => {
    const [name = "", value] = cost.split("=");
    return [name, Number(value)];
  });
  return {
    id,
    version: version === undefined ? undefined : Number(version),
    costs: Object.fromEntries(named),
    salt: bytesOf(salt),
    hash: bytesOf(hash),
  };
}

export function formatPhc({ id, version, costs, salt, hash }: Phc): string {
  const named = Object.entries(costs).map(([name, cost]) => `${name}=${cost}`);
  const parts = [
    "",
    id,
    ...(version === undefined ? [] : [`v=${version}`]),
    named.join(","),
    textOf(salt),
    textOf(hash),
  ];
  return parts.join("$");
}

/** Passlib writes a point for base64's plus. */
function bytesOf(base64: string): Uint8Array {
  return Buffer.from(base64.replaceAll(".", "+"), "base64");
}

function textOf(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString("base64").replace(/=+$/, "");
}
