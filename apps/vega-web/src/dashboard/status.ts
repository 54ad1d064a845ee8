// How each token stands and looks: a word, a colour and a sign. Whatever is not known, also a status that this console has not heard
// of, looks like `unknown`; only `valid`, seen live, is green.

import type { Api } from "../api/types";
import type { TokenStatus } from "../generated/client/types.gen";

export interface Look {
  word: string;
  /** One of Mantine's, in a shade on which white letters can be read. */
  color: "teal.9" | "red.9" | "#8a5a00" | "gray.8";
  sign: string;
}

const UNKNOWN: Look = { word: "Unknown", color: "#8a5a00", sign: "?" };
const LOOKS: Record<TokenStatus, Look> = {
  valid: { word: "Valid", color: "teal.9", sign: "✓" },
  expired: { word: "Expired", color: "red.9", sign: "✕" },
  invalid: { word: "Invalid", color: "red.9", sign: "✕" },
  missing: { word: "Missing", color: "red.9", sign: "✕" },
  unknown: UNKNOWN,
};
const DEAD: TokenStatus[] = ["expired", "invalid", "missing"];

/** At this time: what has ended is expired, though the server has not said so yet. */
export function statusAt(api: Api, now: number): TokenStatus {
  const hasEnded = api.valid_until_unix != null && api.valid_until_unix <= now;
  return hasEnded && !DEAD.includes(api.status) ? "expired" : api.status;
}

/** `isLive`: whether the server is there; without it the last word is not to be trusted. */
export function lookOf(api: Api, isLive: boolean, now: number): Look {
  const look = LOOKS[statusAt(api, now)] ?? UNKNOWN;
  return isLive ? look : { word: `${look.word} when last seen`, color: "gray.8", sign: "…" };
}

/** Whether a human must sign in for it. */
export function isDead(api: Api, now: number): boolean {
  return DEAD.includes(statusAt(api, now));
}
