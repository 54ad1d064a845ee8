// Signing in in a browser of one's own: the link opens at Upstox, and its end comes back by itself or is pasted.

import type { Page } from "@playwright/test";
import { type Console, readPhone } from "./console";
import type { Stage } from "./stage";
import { expect, test } from "./story";

const PROMPT = "Sign in in your own browser for PRIMARY";

/** From the yes to the login page, opened by the link in the console. */
async function open(console: Console): Promise<Page> {
  await console.enter();
  await console.begin("Generate PRIMARY", "Yes, sign in for 1 API");
  const prompt = console.prompt(PROMPT);
  await expect(prompt.getByRole("img", { name: /QR code/ })).toBeVisible();
  const opened = console.page.context().waitForEvent("page");
  await prompt.getByRole("link", { name: "Open the sign-in at Upstox" }).click();
  return await opened;
}

/** As the human does it at Upstox. */
async function signIn(own: Page, stage: Stage, phone: Page) {
  await own.locator("#mobileNum").fill(stage.opening.mobile);
  await own.locator("#getOtp").click();
  const otp = own.locator("#otpNum");
  await expect(otp).toBeVisible();
  await otp.fill(await readPhone(phone));
  await own.locator("#continueBtn").click();
  await own.locator("#pinCode").fill(stage.opening.pin);
  await own.locator("#pinContinueBtn").click();
}

test.describe("where the server has the redirect's port", () => {
  test.use({ scene: { own_browser: "by_itself" } });

  test("the sign-in comes back by itself", async ({ console, stage, phone }) => {
    const own = await open(console);
    await signIn(own, stage, phone);
    await expect(own.getByText("Vega has received the sign-in for PRIMARY")).toBeVisible();
    await console.seesAllValid(1);
    await expect(console.prompt(PROMPT)).toBeHidden();
  });
});

test.describe("where another program has it", () => {
  test.use({ scene: { own_browser: "pasted_address" } });

  test("the address is pasted", async ({ console, stage, phone }) => {
    const own = await open(console);
    const arrival = own.waitForRequest((request) =>
      request.url().startsWith(stage.opening.redirect_uri),
    );
    await signIn(own, stage, phone);
    const address = (await arrival).url();
    const prompt = console.prompt(PROMPT);
    await expect(prompt).toContainText("another program");
    const field = prompt.getByLabel(/address at which the sign-in ended/);
    await expect(field).toHaveAttribute("type", "password");
    await field.fill("https://example.com/?code=1");
    await console.button("Send the address").click();
    const notices = console.page.getByRole("list", { name: "Notices" });
    await expect(notices, "why it is asked for again").toContainText(/PRIMARY.*not the address/);
    await field.fill(address);
    await console.button("Send the address").click();
    await console.seesAllValid(1);
    await expect(prompt).toBeHidden();
    expect((await stage.counters()).tokens_issued).toBe(1);
  });
});
