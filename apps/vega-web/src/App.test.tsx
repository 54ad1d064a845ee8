// What a visitor reads on the page.

import { render, screen } from "@testing-library/react";
import { expect, test, vi } from "vitest";
import { App } from "./App";

test("says what this is, that it is not built yet, and where the tokens are", async () => {
  vi.stubGlobal("fetch", async () => new Response(null, { status: 200 }));

  render(<App />);

  expect(screen.getByRole("heading", { level: 1 })).toHaveTextContent("Vega");
  expect(screen.getByText(/not built yet/)).toHaveTextContent(
    "The console is not built yet; vega status on the command line shows the tokens.",
  );
  expect(await screen.findByText("Server is up")).toBeVisible();
});
