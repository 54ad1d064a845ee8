// Without a mouse: from the dashboard to the answered OTP by Tab and Enter alone, and one always sees where one is.

import type { Locator, Page } from "@playwright/test";
import { readPhone } from "./console";
import { expect, test } from "./story";

test("the first morning's way by Tab and Enter", async ({ console, stage, phone }) => {
  const { page } = console;
  await console.enter();
  await tabTo(page, console.button("Generate PRIMARY"));
  await page.keyboard.press("Enter");
  await tabTo(page, console.button("Yes, sign in for 1 API"));
  await page.keyboard.press("Enter");
  await expect(console.otpField).toBeVisible();
  await tabTo(page, console.otpField);
  await page.keyboard.type(await readPhone(phone));
  await page.keyboard.press("Enter");
  await tabTo(page, console.pinField);
  await page.keyboard.type(stage.opening.pin);
  await page.keyboard.press("Tab");
  await page.keyboard.press("Enter");
  await console.seesAllValid(1);

  const replace = console.button(/^Replace PRIMARY/);
  await tabTo(page, replace);
  await page.keyboard.press("Enter");
  const dialog = page.getByRole("dialog");
  await expect(dialog.getByRole("textbox", { name: /Why/ })).toBeFocused();
  for (let presses = 0; presses < 6; presses++) {
    await page.keyboard.press("Tab");
    await expect(dialog.locator(":focus"), "the dialog keeps the focus").toHaveCount(1);
  }
  await page.keyboard.press("Escape");
  await expect(dialog).toBeHidden();
  await expect(replace, "back to where one was").toBeFocused();
});

/** Presses Tab until it has the focus, and looks whether one sees that. A question may have taken the focus by itself. */
async function tabTo(page: Page, wanted: Locator) {
  await expect(wanted).toBeEnabled();
  for (let presses = 0; !(await hasFocus(wanted)); presses++) {
    if (presses === 40) throw new Error(`Tab does not lead to ${wanted.toString()}`);
    await page.keyboard.press("Tab");
  }
  const focused = await lookOf(wanted);
  await page.keyboard.press("Tab");
  expect(await lookOf(wanted), "one sees the focus").not.toEqual(focused);
  await page.keyboard.press("Shift+Tab");
  await expect(wanted).toBeFocused();
}

function hasFocus(element: Locator): Promise<boolean> {
  return element.evaluate((shown) => shown === document.activeElement);
}

/** What a focus is shown by, when it has come to rest. */
function lookOf(element: Locator) {
  return element.evaluate(async (shown) => {
    await new Promise(requestAnimationFrame);
    await Promise.allSettled(shown.getAnimations().map((fading) => fading.finished));
    const { outlineStyle, outlineWidth, boxShadow, borderColor } = getComputedStyle(shown);
    return { outline: outlineStyle === "none" ? "none" : outlineWidth, boxShadow, borderColor };
  });
}
