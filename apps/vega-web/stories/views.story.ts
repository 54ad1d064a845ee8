// Every view, looked at in both colour schemes and at a phone's width: axe finds nothing, and the pictures are kept.

import { type Console, GONE, NO_SESSION, readPhone } from "./console";
import { lookAt } from "./look";
import type { Stage } from "./stage";
import { expect, test } from "./story";

/** An exchange takes long enough to be looked at. */
async function isSlow(stage: Stage) {
  await stage.happensOnce("exchange", "delay", { ms: 12_000 });
}

async function beginWithPrimary(console: Console) {
  await console.enter();
  await console.begin("Generate PRIMARY", "Yes, sign in for 1 API");
}

test("the first morning", async ({ console, stage, phone }) => {
  const { page } = console;
  await console.enter();
  await lookAt(page, "dashboard-red");
  await console.button("Generate 6 tokens").click();
  await expect(console.prompt("Confirm the plan")).toContainText("Should be done");
  await lookAt(page, "plan");
  await console.button(/^Yes, sign in/).click();
  await expect(console.otpField).toBeVisible();
  await lookAt(page, "otp");
  await console.typeOtp(await readPhone(phone));
  await expect(console.pinField).toBeVisible();
  await lookAt(page, "pin");
  await isSlow(stage);
  await console.typePin();
  await expect(page.getByRole("list", { name: "Steps" })).toContainText("Exchanging the code");
  await lookAt(page, "run");
  await console.button("Cancel the run …").click();
  await lookAt(page, "cancel");
  await console.button("Let it run").click();
  await stage.human({ enabled: true, delay_ms: 100 });
  await console.seesAllValid();
  await lookAt(page, "dashboard-green");
  await console.button(/^Replace PRIMARY/).click();
  await expect(page.getByRole("dialog")).toBeVisible();
  await lookAt(page, "force");
  await page.keyboard.press("Escape");
  await expect(page.getByRole("dialog")).toBeHidden();
});

test.describe("with tokens already", () => {
  test.use({ scene: { signed_in: ["PRIMARY", "WEBSOCKET1", "WEBSOCKET2"] } });

  test("a mixed dashboard, and no server", async ({ console, stage, watch }) => {
    watch.expects(GONE);
    await console.enter();
    await expect(console.cards("Valid")).toHaveCount(3);
    await lookAt(console.page, "dashboard-mixed");
    await stage.stop();
    await expect(console.cards("Valid when last seen")).toHaveCount(3);
    await lookAt(console.page, "server-gone");
  });
});

test.describe("with keys and a failure", () => {
  test.use({ scene: { signed_in: ["PRIMARY"], human_at_the_desk: true } });

  test("the audit trail and the system", async ({ console, stage }) => {
    const { page } = console;
    await stage.vega("key add reader --scope status");
    await stage.happensOnce("exchange", "status", { status: 400, code: "UDAPI100057" });
    await stage.vega("--yes WEBSOCKET1");
    await stage.happensOnce("page", "cloudflare_html", { at: "after_pin" });
    await stage.vega("--yes WEBSOCKET2");
    await console.enter();
    await lookAt(page, "dashboard-failure");
    await console.card("WEBSOCKET2").getByRole("link", { name: "Look at what was kept" }).click();
    const picture = page.getByRole("img", { name: /sign-in for WEBSOCKET2 failed/ });
    await expect(picture).toBeVisible();
    await expect(picture).toHaveJSProperty("complete", true);
    expect(await picture.evaluate((image: HTMLImageElement) => image.naturalWidth)).toBeGreaterThan(
      0,
    );
    await console.open("Audit");
    await expect(page.getByText("The audit trail is intact")).toBeVisible();
    await lookAt(page, "audit");
    await page.getByLabel("Words").fill("nothing says so");
    await expect(page.getByText("No entry fits")).toBeVisible();
    await lookAt(page, "audit-empty");
    await console.open("System");
    await console.button("Revoke reader …").click();
    await lookAt(page, "system");
  });
});

test.describe("with two accounts", () => {
  test.use({ scene: { two_accounts: true } });

  test("the dashboard", async ({ console }) => {
    await console.enter();
    await lookAt(console.page, "two-accounts");
  });
});

test.describe("when Upstox throttles", () => {
  test.use({ scene: { settings: { VEGA__SIGN_IN__COOLDOWN: "5m" } } });

  test("a cooldown", async ({ console, stage }) => {
    await stage.otpLimit(0);
    await beginWithPrimary(console);
    const notice = console.page.getByRole("group", { name: "Account default cools down" });
    await expect(notice).toBeVisible();
    await lookAt(console.page, "cooldown");
  });
});

test.describe("when nobody corrects a PIN at the window", () => {
  test.use({ scene: { settings: { VEGA__SIGN_IN__HUMAN_TIMEOUT: "15s" } } });

  test("a stop, and the yes that lifts it", async ({ console, phone }) => {
    const { page } = console;
    await beginWithPrimary(console);
    await console.typeOtp(await readPhone(phone));
    await console.typePin("135790");
    const notice = page.getByRole("group", { name: "Account default is stopped" });
    await expect(notice).toBeVisible();
    await lookAt(page, "stop");
    await console.button("Generate PRIMARY").click();
    await expect(console.prompt("Confirm the plan")).toContainText("Your yes opens");
    await lookAt(page, "stop-plan");
  });
});

test("a challenge", async ({ console, stage }) => {
  await stage.happens("page", "challenge");
  await beginWithPrimary(console);
  await expect(console.prompt(/^You are needed at the browser window/)).toBeVisible();
  await lookAt(console.page, "challenge");
});

for (const way of ["by_itself", "pasted_address"] as const) {
  test.describe(`a browser of one's own, ${way}`, () => {
    test.use({ scene: { own_browser: way } });

    test("the link", async ({ console }) => {
      await beginWithPrimary(console);
      await expect(console.page.getByRole("img", { name: /QR code/ })).toBeVisible();
      await lookAt(console.page, way === "by_itself" ? "link" : "link-paste");
    });
  });
}

test("no session, and links that do not open", async ({ console, stage, watch }) => {
  watch.expects(NO_SESSION);
  const { page } = console;
  await page.goto(stage.opening.address);
  await expect(page.getByRole("heading", { name: "You are signed out" })).toBeVisible();
  await lookAt(page, "session-over");
  await page.goto(`${stage.opening.address}/enter`);
  await expect(page.getByRole("heading", { name: /needs the code/ })).toBeVisible();
  await lookAt(page, "enter");
  await page.goto(`${stage.opening.address}/enter#CANARY-no-such-code`);
  await expect(page.getByRole("heading", { name: "The console did not open" })).toBeVisible();
  await lookAt(page, "enter-refused");
});
