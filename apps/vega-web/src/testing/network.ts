// A made-up server for the calls. What it answers, and what it is asked, has the types of the OpenAPI file; what a test does
// not expect fails it.

import { HttpResponse, http } from "msw";
import { setupServer } from "msw/node";
import type { Problem } from "../api/types";
import type { IsLiveData, IsLiveResponses } from "../generated/client/types.gen";

interface Described {
  url: string;
  body?: unknown;
}

interface Call<Data extends Described> {
  body: () => Promise<Data["body"]>;
  params: Record<string, unknown>;
  query: URLSearchParams;
}

/** A status with the body that belongs to it, or any response, where the server refuses or is gone. */
type Answer<Responses> =
  | { [Status in keyof Responses]: readonly [Status, Responses[Status]] }[keyof Responses]
  | Response;

/** `when<RevokeKeyData, RevokeKeyResponses>("delete", "/api/v1/keys/{id}", …)`: how the server answers this call. */
export function when<
  Data extends Described = Described,
  Responses extends object = Record<never, never>,
>(
  method: "get" | "post" | "delete",
  path: Data["url"],
  answer: (call: Call<Data>) => Answer<Responses> | Promise<Answer<Responses>>,
) {
  const address = `${location.origin}${path.replace(/\{(\w+)\}/g, ":$1")}`;
  return http[method](address, async ({ request, params }) => {
    const body = async () => (await request.json()) as Data["body"];
    const query = new URL(request.url).searchParams;
    const given = await answer({ body, params, query });
    if (given instanceof Response) return given;
    const status = Number(given[0]);
    return status === 204
      ? new HttpResponse(null, { status })
      : HttpResponse.json(given[1] as object, { status });
  });
}

export const network = setupServer(
  when<IsLiveData, IsLiveResponses>("get", "/livez", () => [
    200,
    { v: 1, program: "vega-server", version: "0.1.0" },
  ]),
);

/** How the server refuses something. */
export function refused(status: number, code: Problem["code"], detail: string) {
  const body: Problem = { type: "about:blank", title: code, status, code, detail };
  return HttpResponse.json(body, {
    status,
    headers: { "Content-Type": "application/problem+json" },
  });
}

export function signedOut() {
  return refused(401, "not_signed_in", "The console's session is over.");
}
