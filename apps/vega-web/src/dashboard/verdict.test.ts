// The answer to the one question, for each state of the dashboard.

import { expect, test } from "vitest";
import type { Snapshot } from "../api/types";
import type { TokenStatus } from "../generated/client/types.gen";
import type { Connection } from "../live/stream";
import {
  account,
  api,
  dashboard,
  failure,
  MORNING,
  missing,
  NIGHT,
  prompt,
  run,
} from "../testing/dashboard";
import { verdictOf } from "./verdict";

const closed = {
  since: "2026-11-25T07:00:00+05:30",
  until: null,
  until_unix: null,
  failure: failure(),
  way_out: "Your yes opens it.",
};
const dead = [missing("PRIMARY"), api("CHAIN")];

interface Case {
  dashboard: Snapshot | null;
  connection?: Connection;
  now?: number;
  kind: string;
  says: RegExp;
}

const CASES: Record<string, Case> = {
  "all valid before the opening": {
    dashboard: dashboard(),
    kind: "yes",
    says: /Yes: you can trade at 09:15 IST.*All 2 tokens are valid until 03:30 IST tomorrow/,
  },
  "all valid while the market is open": {
    dashboard: dashboard(),
    now: MORNING + 4 * 3600,
    kind: "yes",
    says: /Yes: you can trade now/,
  },
  "valid in the evening, but not at the next opening": {
    dashboard: dashboard(),
    now: NIGHT - 4 * 3600,
    kind: "later",
    says: /not at 09:15 IST tomorrow.*until 03:30 IST tomorrow. Sign in after that/,
  },
  "one is missing": {
    dashboard: dashboard({ apis: dead }),
    kind: "no",
    says: /No: 1 of 2 tokens is dead.*Generate/,
  },
  "one has ended, though the server has not said so yet": {
    dashboard: dashboard({ apis: [api("PRIMARY", { valid_until_unix: MORNING }), api("CHAIN")] }),
    kind: "no",
    says: /No: 1 of 2 tokens is dead/,
  },
  "one that could not be checked has ended": {
    dashboard: dashboard({
      apis: [api("PRIMARY", { status: "unknown", valid_until_unix: MORNING - 1 })],
    }),
    kind: "no",
    says: /No: 1 of 1 token is dead/,
  },
  "a dead one counts more than an unknown one": {
    dashboard: dashboard({ apis: [...dead, api("X", { status: "unknown" })] }),
    kind: "no",
    says: /1 of 3 tokens is dead/,
  },
  "one is unknown": {
    dashboard: dashboard({ apis: [api("PRIMARY", { status: "unknown" })] }),
    kind: "not_known",
    says: /1 of 1 token could not be checked.*Verify now/,
  },
  "a status that this console has not heard of is not good": {
    dashboard: dashboard({ apis: [api("PRIMARY", { status: "revoked" as TokenStatus })] }),
    kind: "not_known",
    says: /could not be checked/,
  },
  "a question is open": {
    dashboard: dashboard({ apis: dead, run: run(), prompts: [prompt("otp")] }),
    kind: "no",
    says: /You are needed: see what is asked/,
  },
  "a run is under way": {
    dashboard: dashboard({ apis: dead, run: run() }),
    kind: "no",
    says: /A run is under way/,
  },
  "the account is stopped": {
    dashboard: dashboard({ apis: dead, accounts: [account({ stop: closed })] }),
    kind: "no",
    says: /stopped.*your yes to the plan opens it/,
  },
  "the account cools down": {
    dashboard: dashboard({
      apis: dead,
      accounts: [account({ cooldown: closed, retry_at: "x", retry_at_unix: MORNING + 60 })],
    }),
    kind: "no",
    says: /waits/,
  },
  "another account cools down": {
    dashboard: dashboard({
      apis: dead,
      accounts: [
        account(),
        account({ account: "other", retry_at: "x", retry_at_unix: MORNING + 60 }),
      ],
    }),
    kind: "no",
    says: /Generate the tokens/,
  },
  "nothing is configured": {
    dashboard: dashboard({ apis: [] }),
    kind: "no",
    says: /no API is configured/,
  },
  "the server is gone, whatever was last seen": {
    dashboard: dashboard(),
    connection: "gone",
    kind: "not_known",
    says: /Not known: the server does not answer/,
  },
  "before the first answer": {
    dashboard: null,
    connection: "connecting",
    kind: "not_known",
    says: /Asking the server/,
  },
  "signed out, whatever was last seen": {
    dashboard: dashboard(),
    connection: "signed_out",
    kind: "not_known",
    says: /Asking/,
  },
};

test.each(Object.entries(CASES))(
  "%s",
  (_, { dashboard, connection = "live", now = MORNING, kind, says }) => {
    const verdict = verdictOf(dashboard, connection, now);
    expect(verdict.kind).toBe(kind);
    expect(`${verdict.title} ${verdict.next}`).toMatch(says);
  },
);
