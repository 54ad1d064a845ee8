// How each event changes what is shown.

import { expect, test } from "vitest";
import {
  account,
  api,
  consumer,
  dashboard,
  missing,
  prompt,
  RUN,
  run,
  step,
} from "../testing/dashboard";
import { apply } from "./frames";

test("a token replaces its API, in its place", () => {
  const after = apply(dashboard({ apis: [missing("A"), missing("B")] }), {
    event: "token",
    data: api("A"),
  });
  expect(after.apis).toEqual([api("A"), missing("B")]);
});

test("an API that was not known is added", () => {
  const after = apply(dashboard({ apis: [api("A")] }), { event: "token", data: api("B") });
  expect(after.apis).toEqual([api("A"), api("B")]);
});

test("a cooldown replaces its account alone", () => {
  const other = account({ account: "other" });
  const changed = account({ otp_presses_left: 0 });
  const after = apply(dashboard({ accounts: [account(), other] }), {
    event: "cooldown",
    data: changed,
  });
  expect(after.accounts).toEqual([changed, other]);
});

test("programs that stand otherwise are replaced, and new ones added", () => {
  const [first, second] = [consumer("a"), consumer("b", { own_name: "b" })];
  const moved = consumer("a", { generation: 4 });
  const other = consumer("b", { api: "CHAIN" });
  const after = apply(dashboard({ consumers: [first, second] }), {
    event: "consumers",
    data: { v: 1, consumers: [moved, other] },
  });
  expect(after.consumers).toEqual([moved, second, other]);
});

test("a step moves in the run that is shown", () => {
  const before = dashboard({ run: run({ steps: [step("A", "pending"), step("B", "pending")] }) });
  const after = apply(before, {
    event: "step",
    data: { v: 1, ...step("A", "signing_in"), run: RUN },
  });
  expect(after.run?.steps).toEqual([step("A", "signing_in"), step("B", "pending")]);
});

test("a step of another run changes nothing", () => {
  const before = dashboard({ run: run({ steps: [step("A", "pending")] }) });
  expect(
    apply(before, { event: "step", data: { v: 1, ...step("A", "done"), run: "another" } }),
  ).toBe(before);
});

test("a run and the questions are replaced whole", () => {
  const asked = apply(dashboard(), { event: "prompt", data: { v: 1, prompts: [prompt("otp")] } });
  expect(asked.prompts).toEqual([prompt("otp")]);
  const ended = run({ under_way: false, state: "completed" });
  expect(apply(asked, { event: "run", data: ended }).run).toEqual(ended);
});
