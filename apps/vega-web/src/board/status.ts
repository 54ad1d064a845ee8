// How each status looks: a word, a colour and a sign. Whatever is not known, also a status that this console has not heard
// of, looks like `unknown`; only `valid`, seen live, is green.

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

/** `isLive`: whether the server is there; without it the last word is not to be trusted. */
export function lookOf(status: TokenStatus, isLive: boolean): Look {
  const look = LOOKS[status] ?? UNKNOWN;
  return isLive ? look : { word: `${look.word} when last seen`, color: "gray.8", sign: "…" };
}

/** Whether a human must sign in for it. */
export function isDead(status: TokenStatus): boolean {
  return status === "expired" || status === "invalid" || status === "missing";
}
