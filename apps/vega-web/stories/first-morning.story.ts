// The first morning: from six red to six green in the console alone, with the OTP from the phone.

import { readPhone } from "./console";
import { expect, test } from "./story";

test("six tokens from the console", async ({ console, stage, phone }) => {
  await console.enter();
  await expect(console.cards("Missing")).toHaveCount(6);
  await expect(console.verdict).toContainText("No: 6 of 6 tokens are dead");

  await console.button("Generate 6 tokens").click();
  const plan = console.prompt("Confirm the plan");
  for (const api of stage.opening.apis) await expect(plan).toContainText(api);
  await expect(plan).toContainText(/Asks for 1.* may be asked for now/);
  await expect(plan).toContainText(/Should be done at \d\d:\d\d IST/);
  expect((await stage.counters()).dialogs_opened, "nothing before the yes").toBe(0);
  await console.button("Yes, sign in for 6 APIs").click();

  await expect(console.otpField).toBeVisible();
  await console.typeOtp(await readPhone(phone));
  await console.typePinUntil(console.page.getByText("All done"));
  await console.seesAllValid();
  await expect(console.verdict).toContainText("All 6 tokens are valid");

  const counters = await stage.counters();
  expect(counters.otp_presses).toBe(1);
  expect(counters.tokens_issued).toBe(6);
  expect(counters.max_parallel_sign_ins).toBe(1);
  expect(counters.max_exchanges_of_one_code).toBe(1);
});
