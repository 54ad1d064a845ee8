// Upstox wants to see a human: Vega says so and touches nothing; the human solves it in the window, and the run goes on.

import { expect, test } from "./story";

test("a challenge is the human's", async ({ console, stage }) => {
  await stage.happens("page", "challenge");
  await console.enter();
  await console.begin("Generate PRIMARY", "Yes, sign in for 1 API");
  const notice = console.prompt("You are needed at the browser window for PRIMARY");
  await expect(notice).toContainText(/challenge/);
  await expect(notice.getByRole("textbox")).toHaveCount(0);
  // All the time to do what must not be done.
  await console.page.waitForTimeout(3_000);
  const before = await stage.counters();
  expect([before.challenges_ticked, before.otp_presses]).toEqual([0, 0]);

  await stage.human({ enabled: true, delay_ms: 100 });
  await expect(notice).toBeHidden();
  await console.seesAllValid(1);
  const after = await stage.counters();
  expect([after.challenges_ticked, after.otp_presses]).toEqual([1, 1]);
});
