// While somebody is waited for, the tab's title says so, and a page that nobody looks at notifies.

import { readPhone } from "./console";
import { expect, test } from "./story";

/** What the page told its browser to show. */
interface Told {
  told: { title: string; body: string }[];
}

test("the title and a notification call the human", async ({ console, stage, phone }) => {
  const { page } = console;
  await page.context().grantPermissions(["notifications"], { origin: stage.opening.address });
  await page.addInitScript(() => {
    const told: Told["told"] = [];
    Object.assign(globalThis, { told });
    // Nobody looks, and what would be shown is written down.
    Object.defineProperty(document, "hidden", { get: () => true });
    globalThis.Notification = class {
      static permission = "granted";
      constructor(title: string, { body = "" }: NotificationOptions = {}) {
        told.push({ title, body });
      }
    } as unknown as typeof Notification;
  });
  await console.enter();
  await expect(page).toHaveTitle("Dashboard – Vega");
  await console.button("Generate PRIMARY").click();
  await expect(page).toHaveTitle("(1) Confirm the plan – Vega");
  await console.button("Yes, sign in for 1 API").click();
  await expect(page).toHaveTitle("(1) OTP needed for PRIMARY – Vega");
  await console.typeOtp(await readPhone(phone));
  await expect(page).toHaveTitle("(1) PIN needed for PRIMARY – Vega");
  await console.typePin();
  await console.seesAllValid(1);
  await expect(page).toHaveTitle("Dashboard – Vega");

  const told = await page.evaluate(() => (globalThis as unknown as Told).told);
  expect(told.map(({ title }) => title)).toEqual([
    "Confirm the plan",
    "OTP needed for PRIMARY",
    "PIN needed for PRIMARY",
  ]);
  for (const { body } of told) expect(body).not.toBe("");
});
