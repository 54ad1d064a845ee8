// What the line says for each way the server can answer or stay silent.

import { act, render, screen } from "@testing-library/react";
import { beforeEach, expect, test, vi } from "vitest";
import { ServerLine } from "./ServerLine";

const fetchStub = vi.fn<typeof fetch>();

beforeEach(() => {
  vi.useFakeTimers();
  fetchStub.mockReset();
  vi.stubGlobal("fetch", fetchStub);
});

test("says that it is asking until the first answer, and asks /livez", async () => {
  fetchStub.mockImplementation(silence);
  await show();
  expect(line()).toHaveTextContent("Asking the server…");
  expect(fetchStub).toHaveBeenCalledExactlyOnceWith("/livez", expect.anything());
});

test("200 means up", async () => {
  fetchStub.mockImplementation(status(200));
  await show();
  expect(line()).toHaveTextContent("Server is up");
});

test("a refused connection means down", async () => {
  fetchStub.mockImplementation(refused);
  await show();
  expect(line()).toHaveTextContent("Server does not answer");
});

test.each([204, 404, 500, 503])("status %i means down", async (code) => {
  fetchStub.mockImplementation(status(code));
  await show();
  expect(line()).toHaveTextContent("Server does not answer");
});

test("no answer in time means down", async () => {
  fetchStub.mockImplementation(silence);
  await show();
  await wait(4_000);
  expect(line()).toHaveTextContent("Server does not answer");
});

test("follows a server that stops and comes back", async () => {
  fetchStub.mockImplementation(status(200));
  await show();
  expect(line()).toHaveTextContent("Server is up");

  fetchStub.mockImplementation(refused);
  await wait(5_000);
  expect(line()).toHaveTextContent("Server does not answer");

  fetchStub.mockImplementation(status(200));
  await wait(5_000);
  expect(line()).toHaveTextContent("Server is up");
});

test("stops asking when it leaves the page", async () => {
  fetchStub.mockImplementation(status(200));
  const { unmount } = await show();
  unmount();
  await wait(60_000);
  expect(fetchStub).toHaveBeenCalledOnce();
});

test("drops a question that is under way when it leaves the page", async () => {
  fetchStub.mockImplementation(silence);
  const { unmount } = await show();
  unmount();
  expect(fetchStub.mock.lastCall?.[1]?.signal?.aborted).toBe(true);
  await wait(60_000);
  expect(fetchStub).toHaveBeenCalledOnce();
});

async function show() {
  const view = render(<ServerLine />);
  await wait(0);
  return view;
}

async function wait(milliseconds: number) {
  await act(() => vi.advanceTimersByTimeAsync(milliseconds));
}

function line() {
  return screen.getByRole("status");
}

function status(code: number): typeof fetch {
  return async () => new Response(null, { status: code });
}

async function refused(): Promise<Response> {
  throw new TypeError("Failed to fetch");
}

/** Never answers; fails only when the caller gives up, as the browser's `fetch` does. */
function silence(_: RequestInfo | URL, init?: RequestInit): Promise<Response> {
  return new Promise((_resolve, reject) => {
    init?.signal?.addEventListener("abort", () => reject(new DOMException("", "AbortError")));
  });
}
