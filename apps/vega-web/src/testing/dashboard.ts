// Made-up boards: one account with its APIs, as the server would show them.

import type {
  Account,
  Api,
  Consumer,
  LastFailure,
  Plan,
  Prompt,
  Run,
  Snapshot,
  Step,
} from "../api/types";

/** Wednesday 2026-11-25, 08:00 IST. */
export const MORNING = Date.parse("2026-11-25T08:00:00+05:30") / 1000;
/** The 03:30 IST after it. */
export const NIGHT = Date.parse("2026-11-26T03:30:00+05:30") / 1000;

export const RUN = "0197a000-0000-7000-8000-000000000001";
export const PROMPT = "0197a000-0000-7000-8000-00000000000a";

export function api(name: string, changes: Partial<Api> = {}): Api {
  return {
    v: 1,
    api: name,
    account: "default",
    status: "valid",
    servable: true,
    valid_until: "2026-11-26T03:30:00+05:30",
    valid_until_unix: NIGHT,
    generation: 3,
    verified_at: "2026-11-25T07:58:00+05:30",
    checked_at: "2026-11-25T07:59:00+05:30",
    checked_at_unix: 1795573740,
    check_failure: null,
    last_failure: null,
    ...changes,
  };
}

export function missing(name: string, changes: Partial<Api> = {}): Api {
  return api(name, {
    status: "missing",
    servable: false,
    valid_until: null,
    valid_until_unix: null,
    generation: null,
    verified_at: null,
    checked_at: null,
    checked_at_unix: null,
    check_failure: null,
    ...changes,
  });
}

export function account(changes: Partial<Account> = {}): Account {
  return {
    account: "default",
    otp_presses_left: 4,
    otp_budget: 4,
    retry_at: null,
    retry_at_unix: null,
    cooldown: null,
    stop: null,
    ...changes,
  };
}

export function failure(changes: Partial<LastFailure> = {}): LastFailure {
  return {
    reason: "throttled",
    summary: "Upstox throttles OTPs",
    detail: "Try after 10 minutes.",
    next: "Wait until the countdown ends.",
    ...changes,
  };
}

export function dashboard(changes: Partial<Snapshot> = {}): Snapshot {
  return {
    v: 1,
    apis: [api("PRIMARY"), api("CHAIN")],
    accounts: [account()],
    run: null,
    prompts: [],
    consumers: [],
    closed_from_unix: NIGHT - 600,
    closed_until_unix: NIGHT + 60,
    now_unix: MORNING,
    ...changes,
  };
}

export function consumer(name: string, changes: Partial<Consumer> = {}): Consumer {
  return {
    name,
    consumer: `user:1000/${name}`,
    known_as: name,
    own_name: null,
    access_path: "socket",
    api: "PRIMARY",
    state: "current",
    generation: 3,
    newest_generation: 3,
    moved_at: "2026-11-25T07:58:00+05:30",
    moved_at_unix: MORNING - 120,
    last_seen_at: "2026-11-25T07:59:00+05:30",
    last_seen_at_unix: MORNING - 60,
    connected: true,
    stopped: null,
    ...changes,
  };
}

export function step(name: string, state: Step["state"], changes: Partial<Step> = {}): Step {
  return {
    api: name,
    account: "default",
    state,
    reason: null,
    summary: null,
    detail: null,
    next: null,
    ...changes,
  };
}

export function run(changes: Partial<Run> = {}): Run {
  return {
    v: 1,
    id: RUN,
    state: "running",
    under_way: true,
    elsewhere: false,
    asks_at: null,
    asked_at: "2026-11-25T08:00:00+05:30",
    asked_by: "the console",
    plan: null,
    run: null,
    started_at: null,
    started_at_unix: null,
    finished_at: null,
    steps: [],
    finish: null,
    finish_unix: null,
    notices: [],
    wait: null,
    outcome: null,
    ...changes,
  };
}

export function plan(changes: Partial<Plan> = {}): Plan {
  return {
    apis: [
      { api: "PRIMARY", account: "default", cause: "missing", unresolved: null },
      { api: "CHAIN", account: "default", cause: "expired", unresolved: null },
    ],
    stopped: [],
    force_reason: null,
    goes_on_with: null,
    otp_presses_at_least: 1,
    otp_presses_at_most: 2,
    otp_presses_left: 4,
    finish: "2026-11-25T08:02:00+05:30",
    finish_unix: MORNING + 120,
    takes_seconds: 120,
    waits_until: null,
    waits_until_unix: null,
    apis_later: 0,
    ...changes,
  };
}

export function prompt(kind: Prompt["kind"], changes: Partial<Prompt> = {}): Prompt {
  return {
    id: PROMPT,
    kind,
    account: "default",
    api: "PRIMARY",
    words: "What to do.",
    deadline: "2026-11-25T08:05:00+05:30",
    deadline_unix: MORNING + 300,
    plan: null,
    redirect_uri: null,
    paste_only: null,
    ...changes,
  };
}
