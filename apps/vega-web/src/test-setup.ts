// Runs before every test file: adds the DOM matchers and what jsdom lacks, stands a made-up server in for the network, and
// leaves no page, clock, stub or stream behind for the next test.

import "@testing-library/jest-dom/vitest";
import { cleanup, configure } from "@testing-library/react";
import { afterAll, afterEach, beforeAll, beforeEach, vi } from "vitest";
import { MadeUpStream } from "./testing/madeUpStream";
import { network } from "./testing/network";

vi.mock("./live/eventStream", () => ({ openEvents: MadeUpStream.openEvents }));

// Only what never comes runs into it, also on a machine that is busy.
configure({ asyncUtilTimeout: 15_000 });

beforeAll(() => network.listen({ onUnhandledRequest: "error" }));
afterAll(() => network.close());

beforeEach(() => {
  vi.stubGlobal("ResizeObserver", SizeObserver);
  vi.stubGlobal("matchMedia", noMedia);
});

afterEach(() => {
  cleanup();
  network.resetHandlers();
  MadeUpStream.all.length = 0;
  localStorage.clear();
  vi.useRealTimers();
  vi.unstubAllGlobals();
  history.replaceState(null, "", "/");
});

class SizeObserver {
  observe() {}
  unobserve() {}
  disconnect() {}
}

function noMedia(media: string) {
  const nothing = () => {};
  return {
    media,
    matches: false,
    onchange: null,
    addEventListener: nothing,
    removeEventListener: nothing,
    addListener: nothing,
    removeListener: nothing,
    dispatchEvent: () => false,
  };
}
