// What the console shows is the server's: a reload in the middle and a second console show the same, and either can answer.

import { Console, readPhone } from "./console";
import { expect, test } from "./story";

test("a reload in the middle finds the question again", async ({ console, stage, phone }) => {
  await console.enter();
  await console.begin("Generate PRIMARY", "Yes, sign in for 1 API");
  await expect(console.otpField).toBeVisible();
  await console.page.reload();
  await expect(console.otpField).toBeVisible();
  await expect(console.page.getByRole("heading", { name: "Run under way" })).toBeVisible();
  await console.typeOtp(await readPhone(phone));
  await expect(console.pinField).toBeVisible();
  await console.page.reload();
  await console.typePin();
  await console.seesAllValid(1);
  const counters = await stage.counters();
  expect([counters.otp_presses, counters.tokens_issued]).toEqual([1, 1]);
});

test("two consoles stay in step", async ({ console, another, stage, phone }) => {
  const second = new Console(await (await another()).newPage(), stage);
  await console.enter();
  await second.enter();

  await console.button("Generate PRIMARY").click();
  for (const each of [console, second]) {
    await expect(each.prompt("Confirm the plan")).toBeVisible();
    await expect(each.button("Generate 6 tokens")).toBeDisabled();
  }
  await console.button("Yes, sign in for 1 API").click();
  await expect(second.prompt("Confirm the plan")).toBeHidden();

  await expect(console.otpField).toBeVisible();
  await second.typeOtp(await readPhone(phone));
  await expect(console.otpField).toBeHidden();
  await expect(second.pinField).toBeVisible();
  await console.typePin();
  await expect(second.pinField).toBeHidden();
  for (const each of [console, second]) await each.seesAllValid(1);
  expect((await stage.counters()).pin_entries).toBe(1);
});
