// What was done can be looked up and taken away, and a program's key can be taken back.

import { readFile } from "node:fs/promises";
import { NO_SESSION } from "./console";
import { expect, test } from "./story";

test.use({ scene: { signed_in: ["PRIMARY"] } });

test("the audit trail is searched and taken away", async ({ console }) => {
  const { page } = console;
  await console.enter();
  await console.open("Audit");
  await expect(page.getByText("The audit trail is intact")).toBeVisible();
  const table = page.getByRole("table");
  const rows = table.getByRole("row");
  await expect(rows.filter({ hasText: "Token stored" })).toHaveCount(1);
  const all = await rows.count();
  await page.getByLabel("What happened").selectOption("Token stored");
  await expect(rows).toHaveCount(2);
  expect(all).toBeGreaterThan(5);

  for (const [name, holds] of [
    ["Export JSON", /"kind": ?"token_stored"/],
    ["Export CSV", /token_stored/],
  ] as const) {
    const download = page.waitForEvent("download");
    await page.getByRole("button", { name }).click();
    const text = await readFile(await (await download).path(), "utf8");
    expect(text).toMatch(holds);
    expect(text, "only what was looked for").not.toContain("otp_requested");
  }
});

test("a key that is revoked opens nothing any more", async ({ console, stage }) => {
  const { stdout } = await stage.vega("key add reader --scope status");
  const call = async () => {
    const headers = { authorization: `Bearer ${String(stdout).trim()}` };
    return (await fetch(`${stage.opening.address}/api/v1/apis`, { headers })).status;
  };
  expect(await call()).toBe(200);
  await console.enter();
  await console.open("System");
  await console.button("Revoke reader …").click();
  await console.button("Revoke reader").click();
  await expect(console.page.getByRole("row").filter({ hasText: "reader" })).toContainText(
    /revoked/i,
  );
  expect(await call()).toBe(401);
});

test("whoever signs out is out", async ({ console, stage, watch }) => {
  watch.expects(NO_SESSION);
  await console.enter();
  await console.button("Sign out").click();
  await expect(console.page.getByRole("heading", { name: "You are signed out" })).toBeVisible();
  const session = await console.page.request.get(`${stage.opening.address}/api/v1/session`);
  expect(session.status()).toBe(401);
});
