// The way back in after a session has ended.

import { screen } from "@testing-library/react";
import { expect, test, vi } from "vitest";
import type { GetSessionData, GetSessionResponses } from "../generated/client/types.gen";
import { openConsole, openDashboard } from "../testing/console";
import { dashboard, MORNING } from "../testing/dashboard";
import { network, refused, signedOut, when } from "../testing/network";

async function ended() {
  network.use(when("get", "/api/v1/session", signedOut));
  const opened = await openDashboard(dashboard());
  opened.stream().fail();
  expect(await screen.findByRole("heading", { name: "You are signed out" })).toBeVisible();
  return opened;
}

function hasSession() {
  network.use(
    when<GetSessionData, GetSessionResponses>("get", "/api/v1/session", () => [
      200,
      { v: 1, opened_at: "", ends_at: "", ends_at_unix: MORNING, idle_seconds: 900 },
    ]),
  );
}

test("goes on when a link was opened in another tab", async () => {
  const { user, stream } = await ended();
  hasSession();
  await user.click(screen.getByRole("button", { name: "I opened the link in another tab" }));
  expect(await screen.findByText("Asking the server …")).toBeVisible();
  stream().snapshot(dashboard());
  expect(await screen.findByText(/^Yes: you can trade/)).toBeVisible();
});

test("looks by itself when the tab is looked at", async () => {
  await ended();
  hasSession();
  dispatchEvent(new Event("focus"));
  expect(await screen.findByText("Asking the server …")).toBeVisible();
});

test("says when there is still none", async () => {
  const { user } = await ended();
  await user.click(screen.getByRole("button", { name: "I opened the link in another tab" }));
  expect(await screen.findByText("There is still no session in this browser")).toBeVisible();
});

test("nothing of the session is kept after its end", async () => {
  const { queries } = await ended();
  expect(queries.getQueryData(["connection"])).toBe("signed_out");
  const kept = queries.getQueryCache().getAll();
  expect(JSON.stringify(kept.map((query) => query.state))).not.toContain("PRIMARY");
  expect(queries.getMutationCache().getAll()).toEqual([]);
});

function verdict(answer: () => Response) {
  network.use(when("get", "/api/v1/audit/verdict", answer));
}

test("a refusal of the old session does not end the next one", async () => {
  const intact = () => Response.json({ v: 1, intact: true, entries: 1, rows: [] });
  network.use(when("get", "/api/v1/audit", () => refused(503, "storage", "Not here.")));
  verdict(intact);
  const { user } = openConsole({ address: "/audit" });
  await screen.findByText(/The audit trail (is|was) intact/);
  verdict(signedOut);
  await user.click(screen.getByRole("button", { name: "Check the audit trail again" }));
  expect(await screen.findByRole("heading", { name: "You are signed out" })).toBeVisible();
  hasSession();
  verdict(intact);
  await user.click(screen.getByRole("button", { name: "I opened the link in another tab" }));
  expect(await screen.findByText(/The audit trail (is|was) intact/)).toBeVisible();
  expect(screen.queryByRole("heading", { name: "You are signed out" })).not.toBeInTheDocument();
});

test("whoever does not look is told that nobody is called any more", async () => {
  const made: string[] = [];
  vi.stubGlobal(
    "Notification",
    class {
      static permission = "granted";
      constructor(title: string) {
        made.push(title);
      }
    },
  );
  await ended();
  // React mounts twice here; the tag makes one of them.
  expect(new Set(made)).toEqual(new Set(["Signed out of Vega"]));
});
