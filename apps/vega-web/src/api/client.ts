// Calls of the server, as its OpenAPI file describes them. A call that is refused or not answered throws a `CallFailed`, whose
// words say what happened and what to do next.

import { client } from "../generated/client/client.gen";
import { sessionSecret } from "./session";
import type { Problem } from "./types";

export * from "../generated/client/sdk.gen";

const GONE =
  "The server does not answer. Start vega-server; this page goes on by itself when it is back.";

export class CallFailed extends Error {
  /** The HTTP status, or null where no answer came. */
  readonly status: number | null;

  constructor(words: string, status: number | null) {
    super(words);
    this.name = "CallFailed";
    this.status = status;
  }
}

client.setConfig({
  baseUrl: globalThis.location.origin,
  cache: "no-store",
  // No call keeps the session open but the one of `useActivity`: pages ask by themselves too.
  headers: { "x-vega-unattended": "1" },
  // Looked up at each call, so that tests can stand in for the network.
  fetch: (request) => globalThis.fetch(request),
});

client.interceptors.request.use((request) => {
  const secret = sessionSecret();
  if (secret !== null) request.headers.set("x-vega-session", secret);
  return request;
});

/** `response` is missing where none came, though the generated types do not say so. */
type Reply<Data> = { data?: Data; error?: unknown; response: Response | undefined };

/** What the server said, or a `CallFailed`. */
export async function said<Data>(call: Promise<Reply<Data>>): Promise<NonNullable<Data>> {
  const reply = await call.catch(() => null);
  if (!reply?.response) {
    throw new CallFailed(GONE, null);
  }
  if (!reply.response.ok) {
    throw new CallFailed(words(reply.error), reply.response.status);
  }
  return reply.data as NonNullable<Data>;
}

function words(error: unknown): string {
  const detail = (error as Partial<Problem> | undefined)?.detail;
  return typeof detail === "string"
    ? detail
    : "The server refused this and did not say why. Look at its log.";
}
