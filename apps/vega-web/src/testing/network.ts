// A made-up server for the calls, typed by the OpenAPI file. What a test does not expect fails it.

import { setupServer } from "msw/node";
import { createOpenApiHttp } from "openapi-msw";
import type { Problem } from "../api/types";
import type { paths } from "../generated/openapi";

export const http = createOpenApiHttp<paths>({ baseUrl: location.origin });

export const network = setupServer(
  http.get("/livez", ({ response }) => response(200).json({ v: 1, program: "vega-server", version: "0.1.0" })),
);

export function problem(status: number, code: string, detail: string): Problem {
  return { type: "about:blank", title: code, status, code: code as Problem["code"], detail };
}

export const SIGNED_OUT = problem(401, "not_signed_in", "The console's session is over.");
