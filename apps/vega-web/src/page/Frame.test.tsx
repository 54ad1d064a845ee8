// What stands around every page: the way to the others, the banners, and the way out.

import { screen, waitFor } from "@testing-library/react";
import { expect, test, vi } from "vitest";
import type { EndSessionData, EndSessionResponses } from "../generated/client/types.gen";
import { openAt, openConsole, openDashboard } from "../testing/console";
import { dashboard, prompt, run } from "../testing/dashboard";
import { network, refused, when } from "../testing/network";

/** The pages ask for more than these tests are about. */
function quiet() {
  const nothing = () => refused(503, "storage", "Not here.");
  for (const path of [
    "audit",
    "audit/verdict",
    "system",
    "keys",
    "config",
    "session",
    "evidence",
  ]) {
    network.use(when("get", `/api/v1/${path}`, nothing));
  }
}

test("leads from page to page, and says on which one is", async () => {
  quiet();
  const { user } = await openDashboard(dashboard());
  expect(screen.getByRole("link", { name: "Dashboard" })).toHaveAttribute("aria-current", "page");
  await user.click(screen.getByRole("link", { name: "Audit" }));
  expect(await screen.findByRole("heading", { name: "Audit trail", level: 1 })).toBeVisible();
  expect(screen.getByRole("link", { name: "Audit" })).toHaveAttribute("aria-current", "page");
  expect(screen.getByRole("link", { name: "Dashboard" })).not.toHaveAttribute("aria-current");
  expect(screen.getByRole("main")).toHaveFocus();
  await waitFor(() => expect(document.title).toBe("Audit – Vega"));
  await user.click(screen.getByRole("link", { name: "System" }));
  expect(await screen.findByRole("heading", { name: "System", level: 1 })).toBeVisible();
});

test("whoever is needed is called from every page", async () => {
  quiet();
  const { user } = await openAt("/audit", dashboard({ run: run(), prompts: [prompt("otp")] }));
  const call = await screen.findByRole("link", { name: "Answer it on the dashboard" });
  await waitFor(() => expect(document.title).toBe("(1) OTP needed for PRIMARY – Vega"));
  await user.click(call);
  expect(await screen.findByRole("region", { name: "OTP needed for PRIMARY" })).toBeVisible();
  expect(
    screen.queryByRole("link", { name: "Answer it on the dashboard" }),
  ).not.toBeInTheDocument();
});

test("the content is a press away, and the address stays as it is", async () => {
  const { user } = openConsole({ address: "/enter" });
  await user.click(await screen.findByRole("button", { name: "Skip to the content" }));
  expect(screen.getByRole("main")).toHaveFocus();
  expect(location.hash).toBe("");
});

test("signs out", async () => {
  network.use(
    when<EndSessionData, EndSessionResponses>("delete", "/api/v1/session", () => [204, undefined]),
  );
  const { user } = await openDashboard(dashboard());
  await user.click(screen.getByRole("button", { name: "Sign out" }));
  expect(await screen.findByRole("heading", { name: "You are signed out" })).toBeVisible();
  await waitFor(() => expect(document.title).toBe("Signed out – Vega"));
  expect(screen.queryByRole("navigation")).not.toBeInTheDocument();
});

test("does not say that one is signed out when it could not be told", async () => {
  network.use(when("delete", "/api/v1/session", () => Response.error()));
  const { user } = await openDashboard(dashboard());
  await user.click(screen.getByRole("button", { name: "Sign out" }));
  expect(await screen.findByText("You are still signed in")).toBeVisible();
  expect(screen.getByRole("navigation")).toBeVisible();
});

test("the colours change from button to button", async () => {
  const { user } = await openDashboard(dashboard());
  const root = document.documentElement;
  await user.click(screen.getByRole("button", { name: "Colours: as the system" }));
  expect(root).toHaveAttribute("data-mantine-color-scheme", "light");
  await user.click(screen.getByRole("button", { name: "Colours: light" }));
  expect(root).toHaveAttribute("data-mantine-color-scheme", "dark");
  await user.click(screen.getByRole("button", { name: "Colours: dark" }));
  expect(screen.getByRole("button", { name: "Colours: as the system" })).toBeVisible();
});

test("a page that breaks says so, and leaves the way to the others", async () => {
  vi.spyOn(console, "error").mockImplementation(() => {});
  vi.spyOn(console, "warn").mockImplementation(() => {});
  await openAt("/", { ...dashboard(), accounts: null as never });
  expect(await screen.findByRole("heading", { name: "This page broke" })).toBeVisible();
  expect(screen.getByText(/tokens stay, and a run that is under way is carried out/)).toBeVisible();
  expect(screen.getByRole("button", { name: "Load the page again" })).toBeVisible();
  expect(screen.getByRole("navigation")).toBeVisible();
  vi.restoreAllMocks();
});
