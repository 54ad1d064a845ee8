// Looks at a view as people do: through axe's eyes in both colour schemes, and in pictures, light, dark and as wide as a
// phone, which are kept for whoever wants to see them.

import { resolve } from "node:path";
import AxeBuilder from "@axe-core/playwright";
import { expect, type Page } from "@playwright/test";
import { TARGET } from "./stage";

const PICTURES = resolve(TARGET, "console");
const DESK = { width: 1280, height: 800 };
const PHONE = { width: 390, height: 844 };

export async function lookAt(page: Page, view: string) {
  for (const colorScheme of ["light", "dark"] as const) {
    await page.emulateMedia({ colorScheme });
    expect(await complaints(page), `${view}, ${colorScheme}`).toEqual([]);
    await picture(page, `${view}-${colorScheme}`);
  }
  await page.emulateMedia({ colorScheme: "light" });
  await page.setViewportSize(PHONE);
  expect(await sticksOut(page), `${view} is wider than a phone`).toBe(0);
  expect(await complaints(page), `${view}, on a phone`).toEqual([]);
  await picture(page, `${view}-phone`);
  await page.setViewportSize(DESK);
}

/** What axe finds, with where. */
async function complaints(page: Page): Promise<string[]> {
  const { violations } = await new AxeBuilder({ page }).analyze();
  return violations.flatMap(({ id, nodes }) =>
    nodes.map((node) => `${id}: ${node.html} – ${node.failureSummary}`),
  );
}

/** How many pixels one must scroll to the right. */
function sticksOut(page: Page): Promise<number> {
  return page.evaluate(() => {
    const { scrollWidth, clientWidth } = document.documentElement;
    return scrollWidth - clientWidth;
  });
}

/** A picture of all that can be scrolled to; an open dialog covers only what is in sight. */
async function picture(page: Page, name: string) {
  await shoot(page, name, !(await page.getByRole("dialog").isVisible()));
}

/** A picture of what one sees first. */
export async function glance(page: Page, name: string) {
  await page.evaluate(() => scrollTo(0, 0));
  await shoot(page, name, false);
}

async function shoot(page: Page, name: string, fullPage: boolean) {
  await page.evaluate(() => document.fonts.ready);
  const path = resolve(PICTURES, `${name}.png`);
  await page.screenshot({ path, fullPage, animations: "disabled", caret: "hide" });
}
