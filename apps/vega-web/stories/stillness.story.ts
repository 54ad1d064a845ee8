// Nothing jumps: while the page loads, while questions to the human come and go, and while a run goes on by itself, what one
// reads or is about to press stays where it is.

import type { Page } from "@playwright/test";
import { readPhone } from "./console";
import { expect, test } from "./story";

interface Shift {
  value: number;
  moved: string[];
}

/** What the web's own measure calls good. */
const GOOD = 0.1;

test("the page does not jump by itself", async ({ console, phone }) => {
  const { page } = console;
  await noteShifts(page);
  await console.enter();
  await expect(console.cards("Missing")).toHaveCount(6);
  await expectStillness(page, "while it loads");

  await console.beginWithSix();
  await console.typeOtp(await readPhone(phone));
  await console.typePinUntil(page.getByText("All done"));
  await console.seesAllValid();
  await expectStillness(page, "from the plan to the end of the run");
});

async function expectStillness(page: Page, when: string) {
  const shifts = await shiftsSinceThen(page);
  const sum = shifts.reduce((sum, { value }) => sum + value, 0);
  expect(sum, `${when}: ${JSON.stringify(shifts, null, 1)}`).toBeLessThan(GOOD);
}

/** Those that no press or key of the human led to. */
async function noteShifts(page: Page) {
  await page.addInitScript(() => {
    interface LayoutShift extends PerformanceEntry {
      value: number;
      hadRecentInput: boolean;
      sources: { node: Node | null }[];
    }
    const nameOf = (node: Node | null) =>
      node instanceof Element ? node.outerHTML.slice(0, 120) : (node?.textContent ?? "gone");
    const shifts: Shift[] = [];
    Object.assign(globalThis, { shifts });
    new PerformanceObserver((list) => {
      for (const entry of list.getEntries() as LayoutShift[]) {
        if (entry.hadRecentInput) continue;
        shifts.push({ value: entry.value, moved: entry.sources.map(({ node }) => nameOf(node)) });
      }
    }).observe({ type: "layout-shift", buffered: true });
  });
}

function shiftsSinceThen(page: Page): Promise<Shift[]> {
  return page.evaluate(() => (globalThis as unknown as { shifts: Shift[] }).shifts.splice(0));
}
