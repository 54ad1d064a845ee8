// The one question: can I trade at 09:15, and if not, what do I do now? Decided here, from the dashboard and the time alone.

import type { Snapshot } from "../api/types";
import type { Connection } from "../live/stream";
import { istTime, neededAt } from "../time/ist";
import { isDead } from "./status";

export interface Verdict {
  /** `later`: nothing is wrong, but today's tokens end before the next opening. */
  kind: "yes" | "no" | "later" | "not_known";
  title: string;
  next: string;
}

export function verdictOf(
  dashboard: Snapshot | null,
  connection: Connection,
  now: number,
): Verdict {
  if (connection === "gone") {
    return {
      kind: "not_known",
      title: "Not known: the server does not answer",
      next: "Start vega-server. What this page shows is what was last seen; this page goes on by itself.",
    };
  }
  if (dashboard === null || connection !== "live") {
    return { kind: "not_known", title: "Asking the server …", next: "This takes a moment." };
  }
  if (dashboard.apis.length === 0) {
    return {
      kind: "no",
      title: "No: no API is configured",
      next: "Name your APIs in the settings, then start the server again.",
    };
  }
  const needed = neededAt(now);
  const when = needed === now ? "now" : `at ${istTime(needed, now)}`;
  const dead = dashboard.apis.filter((api) => isDead(api, now));
  if (dead.length > 0) {
    return {
      kind: "no",
      title: `No: ${dead.length} of ${tokens(dashboard.apis.length)} ${dead.length === 1 ? "is" : "are"} dead`,
      next: nextStep(
        dashboard,
        dead.map((api) => api.account),
      ),
    };
  }
  const unknown = dashboard.apis.filter((api) => api.status !== "valid");
  if (unknown.length > 0) {
    return {
      kind: "not_known",
      title: `Not known: ${unknown.length} of ${tokens(dashboard.apis.length)} could not be checked`,
      next: "Press Verify now. A token that is not known may well be good: nothing is signed in for.",
    };
  }
  const ends = Math.min(...dashboard.apis.map((api) => api.valid_until_unix ?? 0));
  if (ends <= needed) {
    return {
      kind: "later",
      title: `Valid now, but not ${when}`,
      next: `${allValid(dashboard.apis.length)} until ${istTime(ends, now)}. Sign in after that.`,
    };
  }
  return {
    kind: "yes",
    title: `Yes: you can trade ${when}`,
    next: `${allValid(dashboard.apis.length)} until ${istTime(ends, now)}.`,
  };
}

function nextStep(dashboard: Snapshot, accounts: string[]): string {
  if (dashboard.prompts.length > 0) return "You are needed: see what is asked.";
  if (dashboard.run?.under_way) return "A run is under way.";
  const closed = dashboard.accounts.filter((account) => accounts.includes(account.account));
  if (closed.length > 0 && closed.every((account) => account.stop)) {
    return "The account is stopped: read why, then generate; your yes to the plan opens it again.";
  }
  if (closed.length > 0 && closed.every((account) => account.retry_at)) {
    return "The account waits. A run that you start now waits with it and goes on by itself.";
  }
  return "Generate the tokens: Vega shows a plan first and begins after your yes.";
}

function tokens(count: number): string {
  return count === 1 ? "1 token" : `${count} tokens`;
}

function allValid(count: number): string {
  return count === 1 ? "The token is valid" : `All ${count} tokens are valid`;
}
