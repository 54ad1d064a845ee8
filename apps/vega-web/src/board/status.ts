// How each status looks: a word, a colour and a sign. Whatever is not known, also a status that this console has not heard
// of, looks like `unknown`; only `valid`, seen live, is green.

export interface Look {
  word: string;
  color: "green" | "red" | "orange" | "gray" | "blue";
  sign: string;
}

const LOOKS: Record<string, Look> = {
  valid: { word: "Valid", color: "green", sign: "✓" },
  expired: { word: "Expired", color: "red", sign: "✕" },
  invalid: { word: "Invalid", color: "red", sign: "✕" },
  missing: { word: "Missing", color: "red", sign: "✕" },
};
const UNKNOWN: Look = { word: "Unknown", color: "orange", sign: "?" };

/** `isLive`: whether the server is there; without it the last word is not to be trusted. */
export function lookOf(status: string, isLive: boolean): Look {
  const look = LOOKS[status] ?? UNKNOWN;
  return isLive ? look : { word: `${look.word} when last seen`, color: "gray", sign: "…" };
}

/** Whether a human must sign in for it. */
export function isDead(status: string): boolean {
  return status === "expired" || status === "invalid" || status === "missing";
}
