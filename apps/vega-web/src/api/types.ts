// The server's words under short names. All of them are made from its OpenAPI file.

import type { components } from "../generated/openapi";

type Schemas = components["schemas"];

export type Account = Schemas["AccountView"];
export type Answer = Schemas["AnswerBody"];
export type Api = Schemas["ApiView"];
export type Closed = Schemas["ClosedView"];
export type Failure = Schemas["FailureView"];
export type Plan = Schemas["PlanView"];
export type Problem = Schemas["Problem"];
export type Prompt = Schemas["PromptView"];
export type Prompts = Schemas["PromptsView"];
export type Run = Schemas["RunView"];
export type RunWish = Schemas["RunBody"];
export type Snapshot = Schemas["Snapshot"];
export type Step = Schemas["StepView"];
