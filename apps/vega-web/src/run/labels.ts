// The states of runs and steps in words, with the sign that stands beside each. What this console has not heard of is shown
// as the server names it: after an upgrade, an old page may meet a new server.

import type {
  RunState,
  SignInCause,
  SkipReason,
  StepReason,
  StepState,
} from "../generated/client/types.gen";

export interface StepLook {
  word: string;
  sign: string;
  /** `moving` while it is worked on, then how it ended. */
  kind: "waiting" | "moving" | "good" | "bad" | "left";
}

const STEPS: Record<StepState, StepLook> = {
  pending: { word: "Waits its turn", sign: "○", kind: "waiting" },
  signing_in: { word: "Signing in", sign: "▶", kind: "moving" },
  exchanging: { word: "Exchanging the code", sign: "▶", kind: "moving" },
  verifying: { word: "Verifying", sign: "▶", kind: "moving" },
  done: { word: "Done", sign: "✓", kind: "good" },
  failed: { word: "Failed", sign: "✕", kind: "bad" },
  skipped: { word: "Left out", sign: "–", kind: "left" },
};

const RUNS: Record<RunState, string> = {
  verifying: "Asking Upstox about the tokens first",
  confirming: "Waits for your yes to the plan",
  planned: "About to begin",
  running: "Signing in",
  waiting: "Waiting, goes on by itself",
  completed: "All done",
  incomplete: "Ended, not everything was done",
  cancelled: "Cancelled",
  abandoned: "Broke off; it can be taken up again today",
  not_needed: "Nothing to do",
  not_begun: "Not begun",
};

const SKIPPED: Record<SkipReason, string> = {
  already_servable: "its token is good",
  last_minute: "its token is in its last minute",
  unknown: "Upstox did not say whether it is good",
  closed_hours: "a token made now would expire at 03:30 IST",
  account_stopped: "its account is stopped",
  cooling_down: "its account cools down",
};

const CAUSES: Record<SignInCause, string> = {
  missing: "it has no token yet",
  expired: "its token expired",
  invalid: "Upstox refuses its token",
  forced: "you force it",
};

/** `isUnderWay`: whether the run is; what waits in one that has ended waits for nothing. */
export function stepLook(state: StepState, isUnderWay: boolean): StepLook {
  if (state === "pending" && !isUnderWay) return { word: "Not begun", sign: "○", kind: "left" };
  return STEPS[state] ?? { word: state, sign: "?", kind: "waiting" };
}

export function runWords(state: RunState): string {
  return RUNS[state] ?? state;
}

export function skippedWords(reason: StepReason): string {
  const words: Partial<Record<StepReason, string>> = SKIPPED;
  return words[reason] ?? reason;
}

export function causeWords(cause: SignInCause): string {
  return CAUSES[cause] ?? cause;
}
