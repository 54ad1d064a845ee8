// Opens the whole console, as a browser would at an address, with a stream that a test drives. React mounts all of it twice,
// as in main.tsx.

import { createMemoryHistory } from "@tanstack/react-router";
import { render, screen } from "@testing-library/react";
import userEvent from "@testing-library/user-event";
import { vi } from "vitest";
import { App, makeQueries } from "../App";
import type { Snapshot } from "../api/types";
import { makeRouter } from "../page/router";
import { MadeUpStream } from "./madeUpStream";

interface Options {
  address?: string;
  code?: string | null;
}

export function openConsole({ address = "/", code = null }: Options = {}) {
  const router = makeRouter(code, createMemoryHistory({ initialEntries: [address] }));
  const queries = makeQueries();
  const view = render(<App router={router} queries={queries} />, { reactStrictMode: true });
  return { ...view, router, queries, user: userEvent.setup() };
}

/** Opens it at the dashboard that the stream shows. */
export async function openDashboard(dashboard: Snapshot) {
  const opened = await openAt("/", dashboard);
  await screen.findByText(/\d of \d OTPs left/);
  return opened;
}

/** Opens it at a page, with this dashboard behind it. */
export async function openAt(address: string, dashboard: Snapshot) {
  const opened = openConsole({ address });
  await vi.waitFor(() => MadeUpStream.open);
  MadeUpStream.open.snapshot(dashboard);
  return { ...opened, stream: () => MadeUpStream.open };
}
