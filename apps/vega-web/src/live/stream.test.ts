// The one stream of a tab: when it breaks, when the server hangs, when the session is over.

import { afterEach, beforeEach, expect, test, vi } from "vitest";
import type {
  GetSessionData,
  GetSessionResponses,
  IsLiveData,
  IsLiveResponses,
} from "../generated/client/types.gen";
import { api, dashboard, missing } from "../testing/dashboard";
import { MadeUpStream } from "../testing/madeUpStream";
import { network, signedOut, when } from "../testing/network";
import { type Connection, listen } from "./stream";

const said: Connection[] = [];
const snapshots = vi.fn();
const changes = vi.fn();
let stop: () => void;

beforeEach(() => {
  vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout", "setInterval", "clearInterval"] });
  said.length = 0;
  snapshots.mockReset();
  changes.mockReset();
  stop = listen({
    onConnection: (connection) => said.push(connection),
    onSnapshot: snapshots,
    onChange: changes,
  });
});

afterEach(() => stop());

function hasSession() {
  network.use(
    when<GetSessionData, GetSessionResponses>("get", "/api/v1/session", () => [
      200,
      { v: 1, opened_at: "", ends_at: "", ends_at_unix: 0, idle_seconds: 900 },
    ]),
  );
}

async function pass(milliseconds: number) {
  await vi.advanceTimersByTimeAsync(milliseconds);
  // The made-up network takes its own time.
  await vi.waitFor(() => {});
}

test("is live with its snapshot, not before, and passes on what changes", () => {
  expect(said).toEqual([]);
  MadeUpStream.open.snapshot(dashboard());
  expect(said).toEqual(["live"]);
  expect(snapshots).toHaveBeenCalledExactlyOnceWith(dashboard());
  MadeUpStream.open.change({ event: "token", data: missing("A") });
  expect(changes).toHaveBeenCalledExactlyOnceWith({ event: "token", data: missing("A") });
});

test("says at once that it broke, opens another, and is live with that one's snapshot", async () => {
  hasSession();
  MadeUpStream.open.snapshot(dashboard());
  MadeUpStream.open.fail();
  expect(said).toEqual(["live", "gone"]);
  await vi.waitFor(async () => {
    await pass(500);
    expect(MadeUpStream.all).toHaveLength(2);
  });
  expect(said).toEqual(["live", "gone"]);
  MadeUpStream.open.snapshot(dashboard({ apis: [api("A")] }));
  expect(said).toEqual(["live", "gone", "live"]);
});

test("waits longer each time, at most five seconds", async () => {
  network.use(
    when<GetSessionData, GetSessionResponses>("get", "/api/v1/session", () => Response.error()),
  );
  const pauses: number[] = [];
  for (let attempt = 1; attempt <= 6; attempt += 1) {
    MadeUpStream.open.fail();
    await vi.waitFor(() => expect(vi.getTimerCount()).toBeGreaterThanOrEqual(2));
    let waited = 0;
    while (MadeUpStream.all.length === attempt) {
      await vi.advanceTimersByTimeAsync(100);
      waited += 100;
    }
    pauses.push(waited);
  }
  expect(pauses).toEqual([500, 1000, 2000, 4000, 5000, 5000]);
});

test("ends for good where the session is over", async () => {
  network.use(
    when<GetSessionData, GetSessionResponses>("get", "/api/v1/session", () => signedOut()),
  );
  MadeUpStream.open.fail();
  await vi.waitFor(() => expect(said).toEqual(["gone", "signed_out"]));
  await pass(60_000);
  expect(MadeUpStream.all).toHaveLength(1);
  expect(said).toEqual(["gone", "signed_out"]);
});

test("a server that does not answer beside an open stream is gone", async () => {
  hasSession();
  MadeUpStream.open.snapshot(dashboard());
  network.use(when<IsLiveData, IsLiveResponses>("get", "/livez", () => Response.error()));
  await pass(5_000);
  await vi.waitFor(() => expect(said).toEqual(["live", "gone"]));
});

test("a server that answers is left alone", async () => {
  MadeUpStream.open.snapshot(dashboard());
  await pass(60_000);
  expect(said).toEqual(["live"]);
  expect(MadeUpStream.all).toHaveLength(1);
});

test("opens nothing after it was stopped", async () => {
  hasSession();
  MadeUpStream.open.fail();
  stop();
  await pass(60_000);
  expect(MadeUpStream.all).toHaveLength(1);
});
