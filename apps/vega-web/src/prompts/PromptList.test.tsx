// What the human is asked, what their answers send, and that no secret stays on the page.

import { screen, waitFor, within } from "@testing-library/react";
import { expect, test, vi } from "vitest";
import type { Answer, Prompt } from "../api/types";
import type {
  AnswerData,
  AnswerResponses,
  GetPromptData,
  GetPromptResponses,
  GetSessionData,
  GetSessionResponses,
} from "../generated/client/types.gen";
import { openConsole, openDashboard } from "../testing/console";
import {
  dashboard,
  failure,
  MORNING,
  missing,
  PROMPT,
  plan,
  prompt,
  RUN,
  run,
} from "../testing/dashboard";
import { MadeUpStream } from "../testing/madeUpStream";
import { network, refused, signedOut, when } from "../testing/network";

function takesAnswers() {
  const answers: Answer[] = [];
  network.use(
    when<AnswerData, AnswerResponses>(
      "post",
      "/api/v1/runs/{id}/answers",
      async ({ body, params }) => {
        expect(params.id).toBe(RUN);
        answers.push(await body());
        return [204, undefined];
      },
    ),
  );
  return answers;
}

function asked(...prompts: Prompt[]) {
  return openDashboard(
    dashboard({ apis: [missing("PRIMARY"), missing("CHAIN")], run: run(), prompts }),
  );
}

test("a plan shows what a yes starts", async () => {
  await asked(
    prompt("confirm", {
      api: null,
      account: null,
      plan: plan({
        waits_until: "x",
        waits_until_unix: MORNING + 60,
        apis_later: 1,
        force_reason: "leaked",
        goes_on_with: { run: "r", started_at: "x", settled: 1, of: 3 },
        stopped: [{ account: "default", since: "x", failure: failure({ summary: "Wrong PIN" }) }],
      }),
    }),
  );
  const section = within(screen.getByRole("region", { name: "Confirm the plan" }));
  const apis = section.getByRole("list", { name: "APIs of the plan" });
  expect(apis).toHaveTextContent("PRIMARY (default): it has no token yet");
  expect(apis).toHaveTextContent("CHAIN (default): its token expired");
  expect(section.getByText("Asks for 1 to 2 OTPs; 4 may be asked for now.")).toBeVisible();
  expect(section.getByText(/Should be done at/)).toHaveTextContent("08:02 IST");
  expect(section.getByText(/Not everything can begin at once/)).toHaveTextContent("08:01 IST");
  expect(section.getByText(/1 of 3 were done/)).toBeVisible();
  expect(section.getByText("Forced, because: leaked")).toBeVisible();
  expect(
    section.getByRole("group", { name: /Your yes opens the stopped account default/ }),
  ).toHaveTextContent("Wrong PIN");
});

test.each([
  ["Yes, sign in for 2 APIs", true],
  ["No, do nothing", false],
])("%s", async (name, yes) => {
  const answers = takesAnswers();
  const { user } = await asked(prompt("confirm", { plan: plan() }));
  await user.click(screen.getByRole("button", { name }));
  await waitFor(() => expect(answers).toEqual([{ kind: "confirm", prompt: PROMPT, yes }]));
  const passedOn = `Your ${yes ? "yes" : "no"} was passed on.`;
  expect(await screen.findByText(passedOn)).toHaveAttribute("role", "status");
  for (const button of screen.getAllByRole("button", { name: /^(Yes|No),/ }))
    expect(button).toBeDisabled();
});

test.each([
  ["otp", "OTP"],
  ["pin", "PIN"],
] as const)("the %s is masked, sent once, and stays nowhere", async (kind, word) => {
  const canary = "135724";
  const answers = takesAnswers();
  const { user, queries } = await asked(prompt(kind));
  const field = screen.getByLabelText(new RegExp(`^${word} of account default`));
  expect(field).toHaveAttribute("type", "password");
  await user.type(field, canary);
  expect(document.body.innerHTML).not.toContain(canary);
  await user.keyboard("{Enter}");
  expect(await screen.findByText(`The ${word} was passed on.`)).toBeVisible();
  expect(answers).toEqual([{ kind, prompt: PROMPT, [kind]: canary }]);
  expect(field).toHaveValue("");
  expect(field).toBeDisabled();
  const kept = [
    JSON.stringify(localStorage),
    JSON.stringify(sessionStorage),
    JSON.stringify(
      queries
        .getQueryCache()
        .getAll()
        .map((query) => query.state),
    ),
    JSON.stringify(
      queries
        .getMutationCache()
        .getAll()
        .map((mutation) => mutation.state),
    ),
    location.href,
    document.body.innerHTML,
  ];
  expect(kept.join()).not.toContain(canary);
});

test("an answer that came too late is said in the server's words, and the field is empty", async () => {
  network.use(
    when<AnswerData, AnswerResponses>("post", "/api/v1/runs/{id}/answers", () =>
      refused(409, "prompt_gone", "This question was answered."),
    ),
  );
  const { user } = await asked(prompt("otp"));
  await user.type(screen.getByLabelText(/^OTP of/), "123456");
  await user.click(screen.getByRole("button", { name: "Send the OTP" }));
  expect(await screen.findByText("This question was answered.")).toBeVisible();
  expect(screen.getByLabelText(/^OTP of/)).toHaveValue("");
});

test("the next question has a field of its own", async () => {
  takesAnswers();
  const { user, stream } = await asked(prompt("otp"));
  await user.type(screen.getByLabelText(/^OTP of/), "123456{Enter}");
  await screen.findByText("The OTP was passed on.");
  stream().change({ event: "prompt", data: { v: 1, prompts: [prompt("otp", { id: RUN })] } });
  await waitFor(() => expect(screen.getByLabelText(/^OTP of/)).toBeEnabled());
});

test("what are no six digits is sent nowhere, and asked for again", async () => {
  const answers = takesAnswers();
  const { user } = await asked(prompt("otp"));
  const otp = screen.getByLabelText(/^OTP of/);
  await user.click(otp);
  for (const [typed, problem] of [
    ["31415", /must be six digits, and this has 5/],
    ["3141592", /has 7/],
    ["abcdef", /holds a letter/],
  ] as const) {
    await user.keyboard(`${typed}{Enter}`);
    expect(await screen.findByText(problem)).toBeVisible();
    expect(otp).toHaveValue("");
    expect(otp).toHaveFocus();
    // The box is empty, but this keyboard remembers what it typed into it.
    await user.clear(otp);
  }
  expect(answers).toEqual([]);
  await user.keyboard("314 159{Enter}");
  await waitFor(() => expect(answers).toEqual([{ kind: "otp", prompt: PROMPT, otp: "314159" }]));
  expect(screen.queryByText(/must be six digits/)).not.toBeInTheDocument();
});

test("half-typed digits survive what else changes", async () => {
  const { user, stream } = await asked(prompt("otp"));
  await user.type(screen.getByLabelText(/^OTP of/), "123");
  stream().change({
    event: "prompt",
    data: {
      v: 1,
      prompts: [prompt("window"), prompt("otp")].map((p, i) => ({
        ...p,
        id: i === 0 ? RUN : PROMPT,
      })),
    },
  });
  await screen.findByRole("heading", { name: /needed at the browser window/ });
  expect(screen.getByLabelText(/^OTP of/)).toHaveValue("123");
});

test("a link is fetched, shown with its QR code, and forgotten with its question", async () => {
  const link = "https://login.example/CANARY-link";
  offersLink(link);
  const answers = takesAnswers();
  const { user, stream, queries } = await asked(
    prompt("link", { redirect_uri: "http://localhost/cb", paste_only: "Nobody listens there." }),
  );
  const anchor = await screen.findByRole("link", { name: "Open the sign-in at Upstox" });
  expect(anchor).toHaveAttribute("href", link);
  expect(anchor).toHaveAttribute("rel", expect.stringContaining("noopener"));
  expect(screen.getByTitle("QR code of the link")).toBeInTheDocument();
  expect(screen.getByText(/Nobody listens there/)).toBeVisible();
  const address = "http://localhost/cb?code=CANARY-code&state=s";
  await user.type(screen.getByLabelText(/address at which the sign-in ended/), address);
  await user.click(screen.getByRole("button", { name: "Send the address" }));
  await waitFor(() => expect(answers).toEqual([{ kind: "address", prompt: PROMPT, address }]));
  stream().change({ event: "prompt", data: { v: 1, prompts: [] } });
  await waitFor(() =>
    expect(screen.queryByRole("link", { name: /Open the sign-in/ })).not.toBeInTheDocument(),
  );
  await waitFor(() =>
    expect(
      JSON.stringify(
        queries
          .getQueryCache()
          .getAll()
          .map((query) => query.state),
      ),
    ).not.toContain("CANARY"),
  );
  expect(document.body.innerHTML).not.toContain("CANARY");
});

test("what is no web address is made no link", async () => {
  offersLink("javascript:boom()");
  await asked(prompt("link"));
  expect(await screen.findByText(/no web address/)).toBeVisible();
  expect(document.querySelector("a[href^=javascript]")).toBeNull();
});

test("a link that could not be fetched is fetched again when asked", async () => {
  network.use(
    when<GetPromptData, GetPromptResponses>("get", "/api/v1/runs/{id}/prompt", () =>
      refused(503, "storage", "Not now."),
    ),
  );
  const { user } = await asked(prompt("link"));
  expect(await screen.findByText("Not now.")).toBeVisible();
  offersLink("https://login.example/");
  await user.click(screen.getByRole("button", { name: "Fetch the link again" }));
  expect(await screen.findByRole("link", { name: /Open the sign-in/ })).toBeVisible();
  expect(screen.queryByRole("button", { name: "Fetch the link again" })).not.toBeInTheDocument();
});

test("a question that has no link any more says so", async () => {
  network.use(
    when<GetPromptData, GetPromptResponses>("get", "/api/v1/runs/{id}/prompt", () => [
      200,
      { v: 1, prompts: [] },
    ]),
  );
  await asked(prompt("link"));
  expect(await screen.findByText(/has no link for this question any more/)).toBeVisible();
  expect(screen.getByRole("button", { name: "Fetch the link again" })).toBeEnabled();
});

test("a session that is over while the link is fetched leads to the way back", async () => {
  network.use(
    when<GetPromptData, GetPromptResponses>("get", "/api/v1/runs/{id}/prompt", signedOut),
  );
  openConsole();
  await vi.waitFor(() => MadeUpStream.open);
  MadeUpStream.open.snapshot(dashboard({ run: run(), prompts: [prompt("link")] }));
  expect(await screen.findByRole("heading", { name: "You are signed out" })).toBeVisible();
});

function offersLink(link: string) {
  network.use(
    when<GetPromptData, GetPromptResponses>("get", "/api/v1/runs/{id}/prompt", () => [
      200,
      { v: 1, prompts: [prompt("link", { link })] },
    ]),
  );
}

test("a challenge in the window is told, with nothing to answer", async () => {
  await asked(
    prompt("window", { words: "Upstox shows a challenge: solve it in the browser window." }),
  );
  const section = within(
    screen.getByRole("region", { name: "You are needed at the browser window for PRIMARY" }),
  );
  expect(section.getByRole("alert")).toHaveTextContent("Upstox shows a challenge");
  expect(section.queryByRole("textbox")).not.toBeInTheDocument();
  expect(section.queryByRole("button")).not.toBeInTheDocument();
});

test("says until when it is open, outside of what is read aloud", async () => {
  await asked(prompt("otp"));
  const section = within(screen.getByRole("region", { name: "OTP needed for PRIMARY" }));
  expect(section.getByText(/left, until/)).toHaveTextContent(/^(5:00|4:59) left, until 08:05 IST$/);
  expect(section.getByRole("alert")).not.toHaveTextContent("08:05");
});

test("the tab's title says that somebody is needed, and only as long as it is so", async () => {
  const { stream } = await asked(prompt("otp"));
  await waitFor(() => expect(document.title).toBe("(1) OTP needed for PRIMARY – Vega"));
  stream().change({ event: "prompt", data: { v: 1, prompts: [] } });
  await waitFor(() => expect(document.title).toBe("Dashboard – Vega"));
});

/** A browser that notifies, with what it was told. */
function notifies(permission: NotificationPermission = "granted") {
  const notified = vi.fn();
  vi.stubGlobal(
    "Notification",
    class {
      static permission = permission;
      constructor(title: string, options?: NotificationOptions) {
        notified(title, options?.body);
      }
    },
  );
  return notified;
}

test.each([
  ["the tab is hidden", true, true],
  ["the window lies behind another", false, false],
])(
  "notifies once for each question, where it may and nobody looks: %s",
  async (_, hidden, focus) => {
    const notified = notifies();
    vi.spyOn(document, "hidden", "get").mockReturnValue(hidden);
    vi.spyOn(document, "hasFocus").mockReturnValue(focus);
    const { stream } = await asked(prompt("otp"));
    stream().change({ event: "cooldown", data: dashboard().accounts[0] ?? expect.fail() });
    stream().change({ event: "prompt", data: { v: 1, prompts: [prompt("otp")] } });
    await waitFor(() =>
      expect(notified).toHaveBeenCalledExactlyOnceWith("OTP needed for PRIMARY", "What to do."),
    );
    vi.restoreAllMocks();
  },
);

test("does not notify whoever looks", async () => {
  const notified = notifies();
  vi.spyOn(document, "hidden", "get").mockReturnValue(false);
  vi.spyOn(document, "hasFocus").mockReturnValue(true);
  await asked(prompt("otp"));
  await waitFor(() => expect(document.title).toMatch(/OTP needed/));
  expect(notified).not.toHaveBeenCalled();
  vi.restoreAllMocks();
});

/** As Chrome on Android. */
function letsNoPageNotify(permission: NotificationPermission) {
  vi.stubGlobal(
    "Notification",
    class {
      static permission = permission;
      constructor() {
        throw new TypeError("Illegal constructor");
      }
    },
  );
}

test("a browser that lets no page notify breaks nothing", async () => {
  letsNoPageNotify("granted");
  vi.spyOn(document, "hidden", "get").mockReturnValue(true);
  await asked(prompt("otp"));
  await waitFor(() => expect(document.title).toMatch(/OTP needed/));
  expect(screen.getByLabelText(/^OTP of/)).toBeEnabled();
  vi.restoreAllMocks();
});

test("to notify is offered only where it works", async () => {
  const name = "Notify me when I am needed";
  notifies("default");
  const { unmount } = await openDashboard(dashboard());
  expect(screen.getByRole("button", { name })).toBeVisible();
  unmount();
  letsNoPageNotify("default");
  await openDashboard(dashboard());
  expect(screen.queryByRole("button", { name })).not.toBeInTheDocument();
});

test("nothing can be answered while the server is gone", async () => {
  network.use(
    when<GetSessionData, GetSessionResponses>("get", "/api/v1/session", () => Response.error()),
  );
  const { stream } = await asked(prompt("otp"));
  stream().fail();
  await waitFor(() => expect(screen.getByLabelText(/^OTP of/)).toBeDisabled());
});

test("whoever has nothing in hand goes on at the field, from question to question", async () => {
  takesAnswers();
  const { user, stream } = await asked(prompt("otp"));
  expect(screen.getByLabelText(/^OTP of/)).toHaveFocus();
  await user.keyboard("123456{Enter}");
  await screen.findByText("The OTP was passed on.");
  const next = prompt("pin", { id: "0197a000-0000-7000-8000-00000000000b" });
  stream().change({ event: "prompt", data: { v: 1, prompts: [next] } });
  expect(await screen.findByLabelText(/^PIN of/)).toHaveFocus();
});

test("digits that were meant for a question answered elsewhere are sent as nothing", async () => {
  const answers = takesAnswers();
  const { user, stream } = await asked(prompt("otp"));
  await user.keyboard("12");
  const next = prompt("pin", { id: "0197a000-0000-7000-8000-00000000000b" });
  stream().change({ event: "prompt", data: { v: 1, prompts: [next] } });
  const pin = await screen.findByLabelText(/^PIN of/);
  await user.keyboard("3456{Enter}");
  expect(pin).toHaveValue("");
  expect(pin).toBeEnabled();
  expect(answers).toEqual([]);
});

test("a question answered elsewhere hands on to the next when nobody types", async () => {
  const { user, stream } = await asked(prompt("otp"));
  await user.keyboard("12");
  const typed = performance.now();
  const clock = vi.spyOn(performance, "now").mockReturnValue(typed + 3_500);
  const next = prompt("pin", { id: "0197a000-0000-7000-8000-00000000000b" });
  stream().change({ event: "prompt", data: { v: 1, prompts: [next] } });
  expect(await screen.findByLabelText(/^PIN of/)).toHaveFocus();
  clock.mockRestore();
});

test("nobody's typing is broken into", async () => {
  const { stream } = await openDashboard(dashboard({ run: run() }));
  const button = screen.getByRole("button", { name: /^Colours/ });
  button.focus();
  stream().change({ event: "prompt", data: { v: 1, prompts: [prompt("otp")] } });
  expect(await screen.findByLabelText(/^OTP of/)).toBeVisible();
  expect(button).toHaveFocus();
});

test("a plan takes the focus, but not to its yes", async () => {
  await asked(prompt("confirm", { api: null, plan: plan() }));
  expect(screen.getByRole("region", { name: "Confirm the plan" })).toHaveFocus();
});

test("the questions of a run that another server carries out are asked there", async () => {
  await openDashboard(
    dashboard({ run: run({ elsewhere: true, asks_at: "https://desk2.example" }), prompts: [] }),
  );
  expect(screen.getByRole("link", { name: "https://desk2.example" })).toHaveAttribute(
    "href",
    "https://desk2.example/",
  );
});
