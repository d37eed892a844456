import { createHmac, timingSafeEqual } from "node:crypto";
import type { DerivedKeys } from "../secrets/derived-keys.ts";
import type { UserRecord } from "../users.ts";

/**
 * Tokens by which a device is known again to one person, also after sign-out; accounts.md 5.6. Such a token signs nobody
 * in: it gives the device a failure counter of its own, so that strangers cannot lock its owner out.
 */
export interface DeviceTokens {
  issue(person: Person): string;
  /** The device's id, if the token was made for this person and is not over; else undefined. */
  knows(token: string, person: Person): string | undefined;
}

type Person = Pick<UserRecord, "pool" | "id" | "devices">;

export interface DeviceTokensOptions {
  readonly keys: DerivedKeys;
  readonly clock: () => number;
  readonly random: (bytes: number) => Uint8Array;
}

const LIFE = 365 * 24 * 60 * 60 * 1000;
const ID_BYTES = 16;
/** `gd_<expiry in seconds>_<id>_<mac>`; base64url has `_` too, so the lengths tell the parts. */
const FORM = /^gd_([1-9][0-9]{0,11})_([A-Za-z0-9_-]{22})_([A-Za-z0-9_-]{43})$/;

export function createDeviceTokens({ keys, clock, random }: DeviceTokensOptions): DeviceTokens {
  const [newest] = keys.of("device");

  return {
    issue(person) {
      const expiry = String(Math.floor((clock() + LIFE) / 1000));
      const id = Buffer.from(random(ID_BYTES)).toString("base64url");
      return `gd_${expiry}_${id}_${macOf(newest.bytes, person, expiry, id).toString("base64url")}`;
    },

    knows(token, person) {
      const [, expiry, id, mac] = FORM.exec(token) ?? [];
      if (expiry === undefined || id === undefined || mac === undefined) return undefined;
      const given = Buffer.from(mac, "base64url");
      const proven = keys.of("device").filter(({ bytes }) => timingSafeEqual(macOf(bytes, person, expiry, id), given));
      return proven.length > 0 && clock() < Number(expiry) * 1000 ? id : undefined;
    },
  };
}

function macOf(key: Uint8Array, { pool, id, devices }: Person, expiry: string, device: string): Buffer {
  // As JSON, so that no part can pass for the end of another.
  const parts = [pool, id, expiry, device, ...(devices === undefined ? [] : [devices])];
  return createHmac("sha256", key).update(JSON.stringify(parts)).digest();
}
