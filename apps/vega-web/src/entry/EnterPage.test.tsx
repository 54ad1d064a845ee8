// How a one-time link opens the console, and what is said when it does not.

import { screen, waitFor } from "@testing-library/react";
import { expect, test, vi } from "vitest";
import { sessionSecret } from "../api/session";
import type { OpenSessionData, OpenSessionResponses } from "../generated/client/types.gen";
import { openConsole } from "../testing/console";
import { network, refused, when } from "../testing/network";
import { takeCode } from "./EnterPage";

test("the code leaves the address bar before anything is shown", () => {
  history.replaceState(null, "", "/enter#CANARY-code");
  expect(takeCode()).toBe("CANARY-code");
  expect(location.href).not.toContain("CANARY");
  expect(takeCode()).toBeNull();
});

test("other pages keep what stands after their #", () => {
  history.replaceState(null, "", "/#part");
  expect(takeCode()).toBeNull();
  expect(location.hash).toBe("#part");
});

test("a link that counts opens the dashboard, and is used once", async () => {
  const used = vi.fn();
  network.use(
    when<OpenSessionData, OpenSessionResponses>("post", "/api/v1/session", async ({ body }) => {
      used(await body());
      return [200, { v: 1, secret: "CANARY-second" }];
    }),
  );
  const { router } = openConsole({ address: "/enter", code: "CANARY-good" });
  await waitFor(() => expect(router.state.location.pathname).toBe("/"));
  expect(await screen.findByText("Asking the server …")).toBeVisible();
  expect(used).toHaveBeenCalledExactlyOnceWith({ code: "CANARY-good" });
  expect(document.body.innerHTML).not.toContain("CANARY");
  expect(sessionSecret()).toBe("CANARY-second");
});

test("a link that does not count says how to get another", async () => {
  network.use(
    when<OpenSessionData, OpenSessionResponses>("post", "/api/v1/session", () =>
      refused(401, "link_used", "Run `vega console`."),
    ),
  );
  openConsole({ address: "/enter", code: "CANARY-old" });
  expect(await screen.findByRole("heading", { name: "The console did not open" })).toBeVisible();
  expect(screen.getByText("Run `vega console`.")).toBeVisible();
});

test("a server that is gone is said", async () => {
  network.use(
    when<OpenSessionData, OpenSessionResponses>("post", "/api/v1/session", () => Response.error()),
  );
  openConsole({ address: "/enter", code: "CANARY-nobody" });
  expect(await screen.findByText(/The server does not answer/)).toHaveTextContent(
    /open the link again.*vega console makes another/,
  );
  expect(screen.queryByText(/goes on by itself/)).not.toBeInTheDocument();
});

test("an address without a code says what it needs", async () => {
  openConsole({ address: "/enter" });
  expect(await screen.findByRole("alert")).toHaveTextContent("vega console");
});

test("an address that is no page says so", async () => {
  openConsole({ address: "/nowhere" });
  expect(await screen.findByText(/no such page/)).toBeVisible();
});
