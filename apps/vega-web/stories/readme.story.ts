// The picture of the README: six green in time for the opening.

import { glance } from "./look";
import { expect, test } from "./story";

test.use({ scene: { test_hooks: true, human_at_the_desk: true } });

test("six green before the opening", async ({ console, stage }) => {
  await stage.later(secondsUntil(8, 40));
  await console.enter();
  await console.beginWithSix();
  await console.seesAllValid();
  await expect(console.verdict).toContainText("Yes: you can trade at 09:15 IST");
  await glance(console.page, "readme");
});

/** Until the clock in India says so next; it is five and a half hours ahead of UTC. */
function secondsUntil(hours: number, minutes: number): number {
  const day = 24 * 60 * 60;
  const wanted = (hours - 5) * 3600 + (minutes - 30) * 60;
  const now = Math.floor(Date.now() / 1000) % day;
  return (wanted - now + day) % day;
}
