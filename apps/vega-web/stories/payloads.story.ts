// Every string of the broker that can reach the page tries to run as a script: as an error code, as a message, as a user id,
// as the words of a page. So does what the operator types. None runs, none becomes an element.

import { type Console, NO_SESSION } from "./console";
import { expect, test } from "./story";

/** Runs wherever it becomes an element, be it for a moment. */
const PAYLOAD = `"><img src=x onerror="globalThis.payloadRan=1"><script>globalThis.payloadRan=1</script>`;
const HARMLESS = /onerror=/;

async function nothingRan({ page }: Console) {
  const became = await page.evaluate(() => ({
    ran: "payloadRan" in globalThis,
    handlers: document.querySelectorAll("[onerror], [onload]").length,
    scripts: document.querySelectorAll("script:not([src])").length,
    titles: document.title.includes("<"),
  }));
  expect(became).toEqual({ ran: false, handlers: 0, scripts: 0, titles: false });
}

test.use({ scene: { human_at_the_desk: true } });

/** Where the broker can say something; each API of a run meets another. The last is no page. */
const STRINGS = [
  { on: "exchange", kind: "status", params: { status: 400, code: PAYLOAD, message: PAYLOAD } },
  {
    on: "exchange",
    kind: "status",
    params: { status: 401, code: "UDAPI100016", message: PAYLOAD },
  },
  { on: "exchange", kind: "wrong_user", params: { user_id: PAYLOAD } },
  { on: "profile", kind: "status", params: { status: 400, code: PAYLOAD, message: PAYLOAD } },
  { on: "profile", kind: "wrong_user", params: { user_id: PAYLOAD } },
  { on: "dialog", kind: "authorize_error", params: { code: PAYLOAD } },
];

test("codes, messages and user ids", async ({ console, stage }) => {
  for (const [at, { on, kind, params }] of STRINGS.entries()) {
    await stage.happens(on, kind, params, { app: stage.opening.apis[at] });
  }
  await console.enter();
  await console.beginWithSix();
  const ended = console.page.getByText("Ended, not everything was done.");
  await expect(ended).toBeVisible({ timeout: 90_000 });
  const steps = console.page.getByRole("list", { name: "Steps" });
  await expect(steps.getByText(HARMLESS)).toHaveCount(STRINGS.length - 1);
  await nothingRan(console);
  await console.page.reload();
  await expect(ended).toBeVisible();
  await nothingRan(console);
  for (const name of ["Audit", "System"]) {
    await console.open(name);
    await nothingRan(console);
  }
});

test("the words of a page", async ({ console, stage }) => {
  await stage.happens("page", "add_words", { words: PAYLOAD });
  await stage.otpLimit(0);
  await console.enter();
  await console.begin("Generate PRIMARY", "Yes, sign in for 1 API");
  const notice = console.page.getByRole("group", { name: "Account default cools down" });
  await expect(notice, "shown as what it is").toContainText(HARMLESS);
  await nothingRan(console);
  await console.open("Audit");
  await expect(console.page.getByRole("table")).toContainText(HARMLESS);
  await nothingRan(console);
});

test("what the operator types, and what came into the address", async ({
  console,
  stage,
  watch,
}) => {
  watch.expects(NO_SESSION);
  await console.page.goto(`${stage.opening.address}/enter#${encodeURIComponent(PAYLOAD)}`);
  await expect(
    console.page.getByRole("heading", { name: "The console did not open" }),
  ).toBeVisible();
  await nothingRan(console);

  await stage.vega("--yes PRIMARY");
  await console.enter();
  await console.button(/^Replace PRIMARY/).click();
  await console.page.getByRole("textbox", { name: /Why/ }).fill(PAYLOAD);
  await console.button("Show the plan").click();
  await expect(console.prompt("Confirm the plan")).toContainText(HARMLESS);
  await nothingRan(console);
});
