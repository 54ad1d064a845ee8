// The server goes and comes back: meanwhile the console claims nothing, and afterwards it shows what is so then.

import { GONE } from "./console";
import { expect, test } from "./story";

test.describe("in the middle of the day", () => {
  test.use({ scene: { signed_in: ["PRIMARY", "WEBSOCKET1"] } });

  test("no green is left standing, and everything comes back", async ({
    console,
    stage,
    watch,
  }) => {
    watch.expects(GONE);
    await console.enter();
    await expect(console.cards("Valid")).toHaveCount(2);

    await stage.stop();
    const banner = console.page
      .getByRole("alert")
      .filter({ hasText: "The server does not answer" });
    await expect(banner).toBeVisible();
    await expect(console.cards("Valid")).toHaveCount(0);
    await expect(console.cards("Valid when last seen")).toHaveCount(2);
    await expect(console.verdict).toContainText("Not known");
    for (const button of await console.button(/^(Generate|Verify|Replace)/).all()) {
      await expect(button).toBeDisabled();
    }
    // Nobody is told before the server is asked.
    await stage.revokeTokens();
    await stage.start();
    await expect(banner).toBeHidden();
    await console.button("Verify now").click();
    await expect(console.cards("Invalid")).toHaveCount(2);
  });
});

test.describe("in the middle of a run", () => {
  test.use({ scene: { human_at_the_desk: true } });

  test("the run that broke off is taken up", async ({ console, stage, watch }) => {
    watch.expects(GONE);
    await console.enter();
    await stage.happens("exchange", "delay", { ms: 1_000 });
    await console.beginWithSix();
    await expect(console.cards("Valid")).not.toHaveCount(0, { timeout: 60_000 });
    await stage.kill();
    await expect(console.page.getByText("The server does not answer").first()).toBeVisible();
    await expect(console.cards("Valid")).toHaveCount(0);
    await stage.noMoreScenarios();

    await stage.start();
    await expect(console.page.getByText("The server does not answer")).toHaveCount(0);
    await expect(console.page.getByText("Ended, not everything was done")).toBeVisible();
    await console.button(/^Generate \d tokens?$/).click();
    await expect(console.prompt("Confirm the plan")).toContainText("run that broke off");
    await console.button(/^Yes, sign in/).click();
    await console.seesAllValid();
    expect((await stage.counters()).tokens_issued).toBe(6);
  });
});
