// The picture of the README: a morning half way, with the next question open.

import { readPhone } from "./console";
import { glance } from "./look";
import { expect, test } from "./story";

test.use({ scene: { test_hooks: true } });

test("half way before the opening", async ({ console, stage, phone }) => {
  await stage.later(secondsUntil(8, 40));
  await console.enter();
  await console.beginWithSix();
  await expect(console.otpField).toBeVisible();
  await console.typeOtp(await readPhone(phone));
  const [first, second, third] = stage.opening.apis;
  for (const api of [first, second]) {
    await expect(console.prompt(`PIN needed for ${api}`)).toBeVisible();
    await console.typePin();
  }
  await expect(console.prompt(`PIN needed for ${third}`)).toBeVisible();
  await expect(console.cards("Valid")).toHaveCount(2);
  await expect(console.verdict).toContainText("No: 4 of 6 tokens are dead");
  await console.page.evaluate(() => scrollTo(0, 0));
  await glance(console.page, "readme");
});

/** Until the clock in India says so next; it is five and a half hours ahead of UTC. */
function secondsUntil(hours: number, minutes: number): number {
  const day = 24 * 60 * 60;
  const wanted = (hours - 5) * 3600 + (minutes - 30) * 60;
  const now = Math.floor(Date.now() / 1000) % day;
  return (wanted - now + day) % day;
}
