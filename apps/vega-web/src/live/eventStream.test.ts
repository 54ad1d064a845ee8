// The stream as it comes over the network: in pieces, with the session's second secret, and with an end.

import { HttpResponse, http } from "msw";
import { afterEach, expect, test, vi } from "vitest";
import { keepSessionSecret } from "../api/session";
import { network } from "../testing/network";
import { openEvents } from "./eventStream";

vi.unmock("./eventStream");

const heard: unknown[] = [];
const ended = vi.fn();
let close = () => {};

afterEach(() => {
  close();
  heard.length = 0;
  ended.mockReset();
});

function listen() {
  close = openEvents({ onEvent: (name, data) => heard.push([name, data]), onEnd: ended });
}

/** What the server sends, piece by piece, and how it was asked. */
function serve(pieces: string[], { ends = false } = {}) {
  const asked: Request[] = [];
  network.use(
    http.get(`${location.origin}/api/v1/events`, ({ request }) => {
      asked.push(request);
      const body = new ReadableStream<Uint8Array>({
        start(controller) {
          for (const piece of pieces) controller.enqueue(new TextEncoder().encode(piece));
          if (ends) controller.close();
        },
      });
      return new HttpResponse(body, { headers: { "Content-Type": "text/event-stream" } });
    }),
  );
  return asked;
}

test("each event is told once it is whole, a heartbeat is none, and the secret is shown", async () => {
  keepSessionSecret("CANARY-second");
  const asked = serve([
    'id: 1\nevent: snapshot\ndata: {"v":',
    "1}\n\n",
    ":\n\n",
    'id: 2\nevent: token\ndata: {"api":"A"}\n\nid: 3\nevent: run\n',
  ]);
  listen();
  await vi.waitFor(() =>
    expect(heard).toEqual([
      ["snapshot", { v: 1 }],
      ["token", { api: "A" }],
    ]),
  );
  expect(ended).not.toHaveBeenCalled();
  expect(asked.map((request) => request.headers.get("x-vega-session"))).toEqual(["CANARY-second"]);
  expect(asked[0]?.headers.get("x-vega-unattended")).toBe("1");
});

test("its end is told once, and nobody opens another", async () => {
  const asked = serve(["event: token\ndata: 1\n\n"], { ends: true });
  listen();
  await vi.waitFor(() => expect(ended).toHaveBeenCalledOnce());
  await new Promise((resolve) => setTimeout(resolve, 50));
  expect(ended).toHaveBeenCalledOnce();
  expect(asked).toHaveLength(1);
});

test("a refusal and a server that is gone are ends", async () => {
  for (const answer of [() => new HttpResponse(null, { status: 401 }), () => Response.error()]) {
    network.use(http.get(`${location.origin}/api/v1/events`, answer));
    ended.mockReset();
    listen();
    await vi.waitFor(() => expect(ended).toHaveBeenCalledOnce());
  }
  expect(heard).toEqual([]);
});

test("a stream that was closed tells nothing more", async () => {
  serve(["event: token\ndata: 1\n\n"]);
  listen();
  close();
  await new Promise((resolve) => setTimeout(resolve, 50));
  expect(heard).toEqual([]);
  expect(ended).not.toHaveBeenCalled();
});
