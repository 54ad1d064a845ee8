// What happened, in words: the server's stable names, read aloud.

import type { AuditKind } from "../generated/client/types.gen";

/** "otp_requested_in_window" is shown as "OTP requested in window". */
export function kindWords(kind: AuditKind): string {
  const words = kind.replaceAll("_", " ").replace(/\botp\b/g, "OTP");
  return words.charAt(0).toUpperCase() + words.slice(1);
}
