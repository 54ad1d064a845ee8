// How a run looks from its request to its end.

import { screen, waitFor, within } from "@testing-library/react";
import { expect, test, vi } from "vitest";
import type { CancelRunData, CancelRunResponses } from "../generated/client/types.gen";
import { openDashboard } from "../testing/console";
import { dashboard, MORNING, missing, plan, RUN, run, step } from "../testing/dashboard";
import { network, refused, when } from "../testing/network";

function shown(changes: Parameters<typeof run>[0]) {
  return openDashboard(dashboard({ apis: [missing("PRIMARY")], run: run(changes) }));
}

test("each step says where it stands, and moves", async () => {
  const { stream } = await shown({
    started_at_unix: MORNING - 65,
    plan: plan(),
    steps: [
      step("A", "done"),
      step("B", "signing_in"),
      step("C", "pending"),
      step("D", "failed", {
        reason: "pin_refused",
        summary: "Upstox refuses the PIN",
        detail: "Upstox refused the PIN.",
        next: "Check it.",
      }),
      step("E", "skipped", { reason: "cooling_down" }),
    ],
  });
  const steps = within(screen.getByRole("list", { name: "Steps" })).getAllByRole("listitem");
  expect(steps.map((one) => one.textContent)).toEqual([
    "✓A Done",
    "▶B Signing in",
    "○C Waits its turn",
    "✕D Failed: Upstox refuses the PIN. Upstox refused the PIN. Check it.",
    "–E Left out: its account cools down",
  ]);
  expect(screen.getByText(/1 of 5 tokens made/)).toBeVisible();
  expect(screen.getByText(/Runs for 1 min 0[56] s/)).toBeVisible();
  stream().change({ event: "step", data: { v: 1, ...step("B", "exchanging"), run: RUN } });
  await waitFor(() => expect(steps[1]).toHaveTextContent("B Exchanging the code"));
});

test("a wait says why and until when", async () => {
  await shown({
    state: "waiting",
    plan: plan(),
    wait: {
      account: "default",
      why: "cooling down",
      until: "x",
      until_unix: MORNING + 600,
      finish: "x",
      finish_unix: MORNING + 720,
    },
  });
  const notice = screen.getByRole("group", { name: "Account default waits" });
  expect(notice).toHaveTextContent("It is cooling down");
  expect(notice).toHaveTextContent(
    /goes on by itself at 08:10 IST .*, and should be done at 08:12 IST/,
  );
  expect(screen.queryByText(/Should be done at/)).not.toBeInTheDocument();
});

test("what was left when a run ended waits for nothing", async () => {
  await shown({
    state: "incomplete",
    under_way: false,
    steps: [step("A", "failed"), step("B", "pending")],
  });
  expect(screen.getByText(/Not begun/)).toBeVisible();
  expect(screen.queryByText(/Waits its turn/)).not.toBeInTheDocument();
});

test("one of another process says that it is asked there", async () => {
  await shown({ elsewhere: true });
  expect(screen.getByText(/Another process carries it out/)).toBeVisible();
});

test("why nothing was begun is said", async () => {
  await shown({
    state: "not_begun",
    under_way: false,
    outcome: { code: "closed_hours", detail: "Sign-ins are closed until 03:30 IST." },
  });
  expect(screen.getByRole("heading", { name: "Last run" })).toBeVisible();
  expect(screen.getByText("Sign-ins are closed until 03:30 IST.")).toBeVisible();
  expect(screen.queryByRole("button", { name: /Cancel/ })).not.toBeInTheDocument();
});

test("is cancelled after a second question alone", async () => {
  const cancelled = vi.fn();
  network.use(
    when<CancelRunData, CancelRunResponses>("delete", "/api/v1/runs/{id}", ({ params }) => {
      cancelled(params.id);
      return [202, undefined];
    }),
  );
  const { user } = await shown({});
  await user.click(screen.getByRole("button", { name: /^Cancel the run …/ }));
  expect(screen.getByRole("button", { name: "Let it run" })).toHaveFocus();
  expect(cancelled).not.toHaveBeenCalled();
  await user.click(screen.getByRole("button", { name: "Cancel the run" }));
  expect(await screen.findByRole("button", { name: "It is ending …" })).toBeDisabled();
  expect(cancelled).toHaveBeenCalledExactlyOnceWith(RUN);
});

test("one that is over already says so", async () => {
  network.use(
    when<CancelRunData, CancelRunResponses>("delete", "/api/v1/runs/{id}", () =>
      refused(409, "run_over", "The run is over."),
    ),
  );
  const { user } = await shown({});
  await user.click(screen.getByRole("button", { name: /^Cancel the run …/ }));
  await user.click(screen.getByRole("button", { name: "Cancel the run" }));
  expect(await screen.findByText("The run is over.")).toBeVisible();
});

test("the estimate is the server's, and one that has passed says so", async () => {
  await shown({ started_at_unix: MORNING - 5, finish_unix: MORNING + 120 });
  expect(screen.getByText(/Should be done at/)).toHaveTextContent("08:02 IST");
  await shown({ started_at_unix: MORNING - 200, finish_unix: MORNING - 10 });
  expect(screen.getByText(/Takes longer than estimated/)).toBeVisible();
});

test("what the human should know is said, the newest first", async () => {
  const notice = (at_unix: number, words: string) => ({ api: "PRIMARY", at: "x", at_unix, words });
  await shown({
    notices: [
      notice(MORNING - 90, "Upstox is slow."),
      notice(MORNING - 10, "What was pasted is not the address."),
    ],
  });
  const list = within(screen.getByRole("list", { name: "Notices" }));
  expect(list.getAllByRole("listitem").map((item) => item.textContent)).toEqual([
    "PRIMARY, 07:59 IST (just now): What was pasted is not the address.",
    "PRIMARY, 07:58 IST (1 min ago): Upstox is slow.",
  ]);
});

test("without the server no step stays green", async () => {
  network.use(when("get", "/api/v1/session", () => Response.error()));
  const { stream } = await shown({ steps: [step("A", "done"), step("B", "signing_in")] });
  const kinds = () =>
    screen.getAllByRole("listitem").flatMap((one) => one.getAttribute("data-kind") ?? []);
  expect(kinds()).toEqual(["good", "moving"]);
  stream().fail();
  expect(await screen.findByText(/As last seen, at/)).toHaveTextContent("08:00 IST");
  expect(kinds()).toEqual(["last_seen", "last_seen"]);
  expect(screen.getByText("Done", { exact: false, selector: "span" })).toBeVisible();
});

test("a run that is let run leaves the keyboard where it was", async () => {
  const { user } = await shown({});
  await user.click(screen.getByRole("button", { name: /^Cancel the run …/ }));
  await user.click(screen.getByRole("button", { name: "Let it run" }));
  expect(screen.getByRole("button", { name: /^Cancel the run …/ })).toHaveFocus();
});
