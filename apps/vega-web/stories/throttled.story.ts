// Upstox throttles: the console says why, until when, and what is usable, and the run goes on by itself.

import type { Locator } from "@playwright/test";
import { expect, test } from "./story";

test.use({
  scene: {
    settings: { VEGA__SIGN_IN__COOLDOWN: "8s" },
    signed_in: ["PRIMARY"],
    human_at_the_desk: true,
  },
});

test("a cooldown is counted down, and then goes on by itself", async ({ console, stage }) => {
  await stage.otpLimit(0);
  await console.enter();
  await console.begin("Generate 5 tokens", "Yes, sign in for 5 APIs");

  const notice = console.page.getByRole("group", { name: "Account default cools down" });
  await expect(notice).toContainText(/exceeded the maximum number of times/);
  await expect(notice).toContainText(/possible again at \d\d:\d\d IST/);
  await expect(notice).toContainText("Usable meanwhile: PRIMARY.");
  const waits = console.page.getByRole("group", { name: "Account default waits" });
  await expect(waits).toContainText(/goes on by itself at \d\d:\d\d IST/);
  expect(await falls(waits)).toBe(true);

  await stage.otpLimit(5);
  await console.seesAllValid();
  await expect(notice).toBeHidden();
  const counters = await stage.counters();
  expect(counters.otp_presses, "one in vain, one that counts").toBe(2);
  expect(counters.tokens_issued).toBe(5);
});

/** Whether the time left gets less while one looks. */
async function falls(notice: Locator): Promise<boolean> {
  const left = async () => Number(/in (\d+) s/.exec(await notice.innerText())?.[1]);
  const before = await left();
  await expect.poll(left).toBeLessThan(before);
  return true;
}
