// What the operator sees and can do on the dashboard.

import { screen, waitFor, within } from "@testing-library/react";
import { expect, test, vi } from "vitest";
import type { RunRequest } from "../api/types";
import type {
  GetSessionData,
  GetSessionResponses,
  StartRunData,
  StartRunResponses,
  TokenStatus,
  VerifyData,
  VerifyResponses,
} from "../generated/client/types.gen";
import { openConsole, openDashboard } from "../testing/console";
import {
  account,
  api,
  dashboard,
  failure,
  MORNING,
  missing,
  NIGHT,
  run,
} from "../testing/dashboard";
import { MadeUpStream } from "../testing/madeUpStream";
import { network, refused, signedOut, when } from "../testing/network";

const DEAD = dashboard({
  apis: [missing("PRIMARY"), api("CHAIN", { status: "expired" }), api("LEGS")],
});

function takesRuns() {
  const requests: RunRequest[] = [];
  network.use(
    when<StartRunData, StartRunResponses>("post", "/api/v1/runs", async ({ body }) => {
      requests.push(await body());
      return [202, { ...run(), joined: false }];
    }),
  );
  return requests;
}

function card(name: string) {
  const heading = screen.getByRole("heading", { name, level: 3 });
  return within(heading.closest("li") as HTMLElement);
}

test("asks first, and shows no status before the server said one", async () => {
  openConsole();
  expect(await screen.findByText("Asking the server …")).toBeVisible();
  expect(screen.queryByText("Valid")).not.toBeInTheDocument();
});

/** Of a server that is newer than this page. */
const NEW_STATUS = "revoked" as TokenStatus;

test("each status is a word beside its sign", async () => {
  await openDashboard(
    dashboard({
      apis: [
        api("A"),
        missing("B"),
        api("expired", { status: "expired" }),
        api("invalid", { status: "invalid" }),
        api("unknown", { status: "unknown" }),
        api("revoked", { status: NEW_STATUS }),
      ],
    }),
  );
  for (const [name, word] of [
    ["A", "Valid"],
    ["B", "Missing"],
    ["expired", "Expired"],
    ["invalid", "Invalid"],
    ["unknown", "Unknown"],
    ["revoked", "Unknown"],
  ] as const) {
    expect(card(name).getByText(word)).toBeVisible();
  }
});

test("a dead token is valid until no time, whatever it once was", async () => {
  await openDashboard(dashboard({ apis: [api("PRIMARY", { status: "invalid" })] }));
  expect(card("PRIMARY").queryByText(/03:30 IST/)).not.toBeInTheDocument();
});

test("a token that has ended by the server's clock is not shown as valid", async () => {
  const ended = api("PRIMARY", { valid_until_unix: MORNING - 60 });
  const cooling = account({ retry_at: "x", retry_at_unix: MORNING + 600 });
  await openDashboard(dashboard({ apis: [ended, api("CHAIN")], accounts: [cooling] }));
  expect(card("PRIMARY").getByText("Expired")).toBeVisible();
  expect(card("PRIMARY").queryByText("Valid")).not.toBeInTheDocument();
  expect(card("PRIMARY").getByText("since 07:59 IST", { exact: false })).toBeVisible();
  expect(screen.getByRole("button", { name: "Generate 1 token" })).toBeEnabled();
  expect(screen.getByText("Usable meanwhile: CHAIN.")).toBeVisible();
});

test("the one action names its effect and asks for all that are dead", async () => {
  const requests = takesRuns();
  const { user } = await openDashboard(DEAD);
  await user.click(screen.getByRole("button", { name: "Generate 2 tokens" }));
  await waitFor(() => expect(requests).toEqual([{}]));
});

test("one API alone can be generated", async () => {
  const requests = takesRuns();
  const { user } = await openDashboard(DEAD);
  await user.click(screen.getByRole("button", { name: "Generate CHAIN" }));
  await waitFor(() => expect(requests).toEqual([{ apis: ["CHAIN"] }]));
});

test("a token that is not dead is replaced with a reason alone", async () => {
  const requests = takesRuns();
  const { user } = await openDashboard(DEAD);
  await user.click(screen.getByRole("button", { name: /^Replace LEGS/ }));
  const dialog = within(await screen.findByRole("dialog", { name: "Replace the token of LEGS?" }));
  expect(dialog.getByRole("button", { name: "Show the plan" })).toBeDisabled();
  await user.type(dialog.getByRole("textbox", { name: /Why/ }), "  leaked ");
  await user.click(dialog.getByRole("button", { name: "Show the plan" }));
  await waitFor(() =>
    expect(requests).toEqual([{ apis: ["LEGS"], force: true, reason: "leaked" }]),
  );
});

test.each([
  ["nothing is dead", dashboard(), "No token is dead."],
  ["a run is under way", { ...DEAD, run: run() }, "A run is under way."],
])("the action says why it cannot run: %s", async (_, shown, why) => {
  await openDashboard(shown);
  const button = screen.getByRole("button", { name: /^Generate (2 )?tokens$/ });
  expect(button).toBeDisabled();
  expect(button).toHaveAccessibleDescription(why);
});

test("each card's button says why it cannot be pressed", async () => {
  const { stream } = await openDashboard(DEAD);
  const buttons = () =>
    screen.getAllByRole("button", { name: /^(Generate (PRIMARY|CHAIN)|Replace)/ });
  for (const button of buttons()) expect(button).not.toHaveAccessibleDescription();
  stream().change({ event: "run", data: run() });
  await waitFor(() => expect(buttons()[0]).toBeDisabled());
  expect(buttons()).toHaveLength(3);
  for (const button of buttons()) expect(button).toHaveAccessibleDescription("A run is under way.");
});

test("what the server refuses is said in its words", async () => {
  network.use(
    when<StartRunData, StartRunResponses>("post", "/api/v1/runs", () =>
      refused(409, "held_elsewhere", "Process 42 signs in."),
    ),
  );
  const { user } = await openDashboard(DEAD);
  await user.click(screen.getByRole("button", { name: "Generate 2 tokens" }));
  expect(await screen.findByText("Process 42 signs in.")).toBeVisible();
});

test("verifies all tokens", async () => {
  const asked = vi.fn();
  network.use(
    when<VerifyData, VerifyResponses>("post", "/api/v1/verifications", async ({ body }) => {
      asked(await body());
      return [200, { v: 1, apis: [], accounts: [] }];
    }),
  );
  const { user } = await openDashboard(dashboard());
  await user.click(screen.getByRole("button", { name: "Verify now" }));
  await waitFor(() => expect(asked).toHaveBeenCalledExactlyOnceWith({}));
});

test("follows what changes", async () => {
  const { stream } = await openDashboard(DEAD);
  stream().change({ event: "token", data: api("PRIMARY") });
  expect(await card("PRIMARY").findByText("Valid")).toBeVisible();
  expect(screen.getByRole("button", { name: "Generate 1 token" })).toBeEnabled();
});

test("without the server nothing stays green, and nothing can be started", async () => {
  network.use(
    when<GetSessionData, GetSessionResponses>("get", "/api/v1/session", () => Response.error()),
  );
  const { stream } = await openDashboard(dashboard({ apis: [api("A"), missing("B")] }));
  stream().fail();
  const banner = await screen.findByRole("alert");
  expect(banner).toHaveTextContent("The server does not answer");
  expect(screen.queryByText("Valid")).not.toBeInTheDocument();
  expect(card("A").getByText("Valid when last seen")).toBeVisible();
  expect(screen.getByText(/^Not known: the server does not answer/)).toBeVisible();
  for (const button of screen.getAllByRole("button", { name: /Generate|Verify|Replace/ })) {
    expect(button).toBeDisabled();
  }
  await waitFor(() => MadeUpStream.open, { timeout: 3_000 });
  MadeUpStream.open.snapshot(dashboard({ apis: [api("A")] }));
  expect(await card("A").findByText("Valid")).toBeVisible();
  expect(screen.queryByRole("alert")).not.toBeInTheDocument();
});

test("a session that is over shows the way back instead of the dashboard", async () => {
  network.use(
    when<GetSessionData, GetSessionResponses>("get", "/api/v1/session", () => signedOut()),
  );
  const { stream } = await openDashboard(dashboard());
  stream().fail();
  expect(await screen.findByRole("heading", { name: "You are signed out" })).toBeVisible();
  expect(screen.getByText("vega console")).toBeVisible();
  expect(screen.queryByText("PRIMARY")).not.toBeInTheDocument();
});

test("a call that finds the session over shows the same", async () => {
  network.use(when<StartRunData, StartRunResponses>("post", "/api/v1/runs", () => signedOut()));
  const { user } = await openDashboard(DEAD);
  await user.click(screen.getByRole("button", { name: "Generate 2 tokens" }));
  expect(await screen.findByRole("heading", { name: "You are signed out" })).toBeVisible();
});

test("a cooldown says why, until when, and what is usable meanwhile", async () => {
  const cooldown = {
    since: "2026-11-25T07:55:00+05:30",
    until: "2026-11-25T08:10:00+05:30",
    until_unix: MORNING + 600,
    failure: failure(),
    way_out:
      "A run waits until then. `vega cooldown clear default --reason TEXT` opens it at once.",
  };
  await openDashboard(
    dashboard({
      apis: [missing("PRIMARY"), api("CHAIN")],
      accounts: [
        account({ cooldown, retry_at: "2026-11-25T08:10:00+05:30", retry_at_unix: MORNING + 600 }),
      ],
    }),
  );
  const notice = screen.getByRole("group", { name: "Account default cools down" });
  expect(notice).toHaveTextContent(
    "Upstox throttles OTPs. Try after 10 minutes. Wait until the countdown ends.",
  );
  expect(notice).toHaveTextContent(/possible again at 08:10 IST \(in (10 min 00 s|9 min 59 s)\)/);
  expect(within(notice).getByText("vega cooldown clear default --reason TEXT")).toHaveProperty(
    "tagName",
    "CODE",
  );
  expect(notice).toHaveTextContent("Usable meanwhile: CHAIN.");
});

const COOLING = account({
  cooldown: {
    since: "2026-11-25T07:55:00+05:30",
    until: "2026-11-25T08:10:00+05:30",
    until_unix: MORNING + 600,
    failure: failure(),
    way_out:
      "A run waits until then. `vega cooldown clear default --reason TEXT` opens it at once.",
  },
  retry_at: "2026-11-25T08:10:00+05:30",
  retry_at_unix: MORNING + 600,
});

test("what an account's notice tells, its cards do not tell once more", async () => {
  const other = failure({ summary: "Upstox does not answer", detail: "Timed out." });
  await openDashboard(
    dashboard({
      apis: [
        missing("PRIMARY", { last_failure: failure() }),
        missing("CHAIN", { last_failure: other }),
      ],
      accounts: [COOLING],
    }),
  );
  const text = (name: string) =>
    screen.getByRole("heading", { name, level: 3 }).closest("li")?.textContent;
  expect(text("PRIMARY")).toContain("Last sign-in failed: Upstox throttles OTPs.");
  expect(text("PRIMARY")).not.toContain("Try after 10 minutes.");
  expect(text("CHAIN")).toContain("Timed out. Wait until the countdown ends.");
});

test("while a run waits for an account, nobody is told to begin another", async () => {
  const next = "Wait, then generate again.";
  const other = failure({ summary: "Upstox does not answer", detail: "Timed out.", next });
  const cooldown = COOLING.cooldown && { ...COOLING.cooldown, failure: failure({ next }) };
  const wait = {
    account: "default",
    why: "cooling down",
    until: "x",
    until_unix: MORNING + 600,
    finish: "x",
    finish_unix: MORNING + 720,
  };
  await openDashboard(
    dashboard({
      apis: [missing("PRIMARY", { last_failure: other })],
      accounts: [{ ...COOLING, cooldown }],
      run: run({ state: "waiting", wait }),
    }),
  );
  expect(screen.getByRole("group", { name: "Account default cools down" })).toHaveTextContent(
    "Try after 10 minutes. The run waits for it and goes on by itself.",
  );
  expect(card("PRIMARY").getByText(/Timed out/)).toBeVisible();
  expect(document.body).not.toHaveTextContent("generate again");
});

test("a stop says what lifts it", async () => {
  const stop = {
    since: "2026-11-25T07:55:00+05:30",
    until: null,
    until_unix: null,
    failure: failure(),
    way_out: "Your yes opens it. `vega cooldown clear default --reason TEXT` opens it without one.",
  };
  await openDashboard(dashboard({ apis: [missing("PRIMARY")], accounts: [account({ stop })] }));
  const notice = screen.getByRole("group", { name: "Account default is stopped" });
  expect(notice).toHaveTextContent(
    "It does not end by itself. Your yes opens it. vega cooldown clear default --reason TEXT opens it without one.",
  );
  expect(notice).toHaveTextContent("No token of this account is usable meanwhile.");
  expect(screen.getByRole("button", { name: "Generate 1 token" })).toBeEnabled();
});

test("a used-up OTP budget is a countdown of its own", async () => {
  const used = account({ otp_presses_left: 0, retry_at: "x", retry_at_unix: NIGHT });
  await openDashboard(dashboard({ apis: [missing("PRIMARY")], accounts: [used] }));
  expect(screen.getByText("Account default waits for its OTP budget")).toBeVisible();
  expect(screen.getByText("0 of 4 OTPs left")).toBeVisible();
});

test("an analytics token that ends soon, or is dead, is said with what to do", async () => {
  const analytics = {
    status: "valid" as const,
    servable: true,
    valid_until_unix: NIGHT,
    ends_within_days: 7,
  };
  await openDashboard(dashboard({ accounts: [account({ analytics })] }));
  const soon = screen.getByRole("group", { name: "The analytics token ends soon" });
  expect(soon).toHaveTextContent("vega adopt --analytics default");
});

test("a dead analytics token is said", async () => {
  const analytics = { status: "invalid" as const, servable: false };
  await openDashboard(dashboard({ accounts: [account({ analytics })] }));
  expect(screen.getByRole("group", { name: "The analytics token is dead" })).toHaveTextContent(
    "account default",
  );
});

test("an analytics token that is good needs no words", async () => {
  const analytics = { status: "valid" as const, servable: true, valid_until_unix: NIGHT };
  await openDashboard(dashboard({ accounts: [account({ analytics })] }));
  expect(screen.queryByText(/analytics token/i)).toBeNull();
});

test("what failed last is said with its next step", async () => {
  await openDashboard(
    dashboard({
      apis: [
        missing("PRIMARY", { last_failure: failure({ detail: "<img src=x onerror=boom()>" }) }),
      ],
    }),
  );
  expect(
    card("PRIMARY").getByText(/Last sign-in failed: Upstox throttles OTPs/).parentElement,
  ).toHaveTextContent("<img src=x onerror=boom()> Wait until the countdown ends.");
  expect(document.querySelector("main img")).toBeNull();
});

test("the page adds no style sheet of its own: the content security policy lets none in", async () => {
  const { user } = await openDashboard(DEAD);
  await user.click(screen.getByRole("button", { name: /^Replace LEGS/ }));
  await screen.findByRole("dialog");
  expect([...document.querySelectorAll("style")].map((style) => style.textContent)).toEqual([]);
});

test.each([
  ["before", MORNING + 60, MORNING + 720, false],
  ["in", MORNING - 60, MORNING + 600, true],
  ["in, as on a day before", MORNING - 60 - 2 * 86_400, MORNING + 600 - 2 * 86_400, true],
  ["after", MORNING - 720, MORNING - 60, false],
])("%s the closed hours around 03:30 IST", async (_, from, until, isClosed) => {
  await openDashboard(
    dashboard({ apis: [api("A"), missing("B")], closed_from_unix: from, closed_until_unix: until }),
  );
  const words = screen.queryByText(/closed around 03:30 IST.* They open at 08:10 IST/);
  expect(words !== null).toBe(isClosed);
  const all = screen.getByRole("button", { name: "Generate 1 token" });
  expect((all as HTMLButtonElement).disabled).toBe(isClosed);
  const one = isClosed ? "Force B …" : "Generate B";
  expect(screen.getByRole("button", { name: one })).toBeEnabled();
  expect(screen.getByRole("button", { name: "Replace A …" })).toBeEnabled();
});

test("in the closed hours a dead token is made by force, with its reason", async () => {
  const requests = takesRuns();
  const closed = { closed_from_unix: MORNING - 60, closed_until_unix: MORNING + 600 };
  const { user } = await openDashboard(dashboard({ apis: [missing("B")], ...closed }));
  await user.click(screen.getByRole("button", { name: "Force B …" }));
  const dialog = within(await screen.findByRole("dialog", { name: "Make a token for B now?" }));
  await user.type(dialog.getByLabelText(/^Why/), "an early order");
  await user.click(dialog.getByRole("button", { name: "Show the plan" }));
  await waitFor(() =>
    expect(requests).toEqual([{ apis: ["B"], force: true, reason: "an early order" }]),
  );
});
