// Calls of the server, typed by its OpenAPI file. A call that is refused or not answered throws a `CallFailed`, whose words
// say what happened and what to do next.

import createClient from "openapi-fetch";
import type { paths } from "../generated/openapi";
import type { Problem } from "./types";

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

export const server = createClient<paths>({
  baseUrl: globalThis.location.origin,
  cache: "no-store",
  // Looked up at each call, so that tests can stand in for the network.
  fetch: (request) => globalThis.fetch(request),
});

type Reply<Data> = { data?: Data; error?: unknown; response: Response };

/** What the server said, or a `CallFailed`. */
export async function said<Data>(call: Promise<Reply<Data>>): Promise<Data> {
  const reply = await call.catch(() => {
    throw new CallFailed(GONE, null);
  });
  if (!reply.response.ok) {
    throw new CallFailed(words(reply.error), reply.response.status);
  }
  return reply.data as Data;
}

function words(error: unknown): string {
  const detail = (error as Partial<Problem> | undefined)?.detail;
  return typeof detail === "string"
    ? detail
    : "The server refused this and did not say why. Look at its log.";
}
