// A session ends: the dashboard goes, and the way back in is told and works.

import { NO_SESSION } from "./console";
import { expect, test } from "./story";

const OVER = { name: "You are signed out" };

test.describe("after a quarter of an hour", () => {
  test.use({ scene: { test_hooks: true, signed_in: ["PRIMARY"] } });

  test("the dashboard goes, and a new link opens it again", async ({ console, stage, watch }) => {
    watch.expects(NO_SESSION);
    await console.enter();
    await expect(console.card("PRIMARY")).toBeVisible();
    await stage.later(16 * 60);
    const over = console.page.getByRole("heading", OVER);
    await expect(over).toBeVisible();
    await expect(console.page.getByText("vega console")).toBeVisible();
    await expect(console.card("PRIMARY")).toBeHidden();
    await console.enter();
    await expect(console.card("PRIMARY")).toContainText("Valid");
    await expect(over).toBeHidden();
  });
});

test("without a session, and with a link that was used, nothing is shown", async ({
  console,
  stage,
  watch,
}) => {
  watch.expects(NO_SESSION);
  const { page } = console;
  await page.goto(stage.opening.address);
  await expect(page.getByRole("heading", OVER)).toBeVisible();
  const link = await stage.link();
  await page.goto(link);
  await expect(console.verdict).toBeVisible();
  expect(page.url(), "the code is not kept").toBe(`${stage.opening.address}/`);
  await page.context().clearCookies();
  await page.goto(link);
  await expect(page.getByRole("heading", { name: "The console did not open" })).toBeVisible();
  // In the same tab only what follows the # is another.
  await page.goto(await stage.link());
  await expect(console.verdict).toBeVisible();
});
