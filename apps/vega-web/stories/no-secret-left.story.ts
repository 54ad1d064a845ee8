// After the first morning no OTP, PIN, code or token is left anywhere in the browser. The session is a cookie that no script
// can read, and a second secret that no other address can.

import type { Page } from "@playwright/test";
import { readPhone } from "./console";
import { expect, test } from "./story";

test("nothing that was typed or made stays in the browser", async ({ console, stage, phone }) => {
  const { page } = console;
  const requested: string[] = [];
  page.on("request", (request) => requested.push(request.url()));
  const link = await stage.link();
  await page.goto(link);
  await console.begin("Generate PRIMARY", "Yes, sign in for 1 API");
  const otp = await readPhone(phone);
  await console.otpField.fill(otp);
  expect(await kept(page), "the search finds what is there").toContain(otp);
  await console.button("Send the OTP").click();
  await expect(console.pinField).toBeVisible();
  expect(await kept(page)).not.toContain(otp);
  await console.typePin();
  await console.seesAllValid(1);

  const { access_tokens, codes, states } = await stage.secrets();
  expect([access_tokens.length, codes.length]).toEqual([1, 1]);
  const secrets = [otp, stage.opening.pin, ...access_tokens, ...codes, ...states];
  const everywhere = (await kept(page)) + requested.join("\n");
  expect(secrets.filter((secret) => everywhere.includes(secret))).toEqual([]);

  await page.reload();
  await expect(console.card("PRIMARY")).toContainText("Valid");
  const afterwards = await kept(page);
  // Until a page is left, its browser itself remembers the address by which it came; the code in it was used up.
  const code = new URL(link).hash.slice(1);
  expect([code, ...secrets].filter((secret) => afterwards.includes(secret))).toEqual([]);

  const cookies = await page.context().cookies();
  expect(cookies).toHaveLength(1);
  expect(cookies[0]).toMatchObject({ httpOnly: true, sameSite: "Strict" });
  expect(await page.evaluate(() => document.cookie)).toBe("");
  // The one half is worth nothing without the other.
  const secret = await page.evaluate(() => localStorage.getItem("vega.session"));
  expect(secret).toMatch(/^[\w-]{43}$/);
  expect(await page.evaluate(() => localStorage.length)).toBe(1);
  const call = (headers: Record<string, string>) =>
    page.request.get(`${stage.opening.address}/api/v1/session`, { headers });
  expect((await call({})).status(), "the cookie alone").toBe(401);
  expect((await call({ "x-vega-session": secret ?? "" })).status(), "both").toBe(200);
  await page.context().clearCookies();
  expect((await call({ "x-vega-session": secret ?? "" })).status(), "the secret alone").toBe(401);
});

/** All that the page keeps, and all that stands in it. */
function kept(page: Page): Promise<string> {
  return page.evaluate(async () => {
    const fields = [...document.querySelectorAll("input, textarea")];
    return JSON.stringify({
      local: { ...localStorage },
      session: { ...sessionStorage },
      databases: await indexedDB.databases(),
      caches: "caches" in globalThis ? await caches.keys() : [],
      workers:
        "serviceWorker" in navigator
          ? (await navigator.serviceWorker.getRegistrations()).length
          : 0,
      history: history.state as unknown,
      address: location.href,
      entries: performance.getEntries().map((entry) => entry.name),
      title: document.title,
      shown: document.documentElement.outerHTML,
      typed: fields.map((field) => (field as HTMLInputElement).value),
    });
  });
}
