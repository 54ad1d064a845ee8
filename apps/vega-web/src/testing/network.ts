// A made-up server for the calls, typed by the OpenAPI file. What a test does not expect fails it.

import { HttpResponse } from "msw";
import { setupServer } from "msw/node";
import { createOpenApiHttp } from "openapi-msw";
import type { Problem } from "../api/types";
import type { paths } from "../generated/openapi";

export const http = createOpenApiHttp<paths>({ baseUrl: location.origin });

export const network = setupServer(
  http.get("/livez", ({ response }) =>
    response(200).json({ v: 1, program: "vega-server", version: "0.1.0" }),
  ),
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
