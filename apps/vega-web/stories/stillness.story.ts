// Nothing jumps: while the first morning goes on, what one reads or is about to press stays where it is. Only a question to
// the human may push what is below it, when it comes and when it goes.

import { readPhone } from "./console";
import { expect, test } from "./story";

interface Shifts {
  shifts: { value: number; moved: string[]; byQuestion: boolean }[];
}

/** What the web's own measure calls good. */
const GOOD = 0.1;

test("the page does not jump by itself", async ({ console, stage, phone }) => {
  await console.page.addInitScript(() => {
    const shifts: Shifts["shifts"] = [];
    Object.assign(globalThis, { shifts });
    let questions = 0;
    let lastChange = Number.NEGATIVE_INFINITY;
    new MutationObserver(() => {
      const open = document.querySelectorAll("[aria-labelledby^=prompt-]").length;
      if (open !== questions) lastChange = performance.now();
      questions = open;
    }).observe(document, { childList: true, subtree: true });
    new PerformanceObserver((list) => {
      for (const entry of list.getEntries() as unknown as Shift[]) {
        if (entry.hadRecentInput) continue;
        const moved = entry.sources.map(({ node }) =>
          node instanceof Element ? node.outerHTML.slice(0, 120) : (node?.textContent ?? "gone"),
        );
        const since = entry.startTime - lastChange;
        shifts.push({ value: entry.value, moved, byQuestion: Math.abs(since) < 100 });
      }
    }).observe({ type: "layout-shift", buffered: true });
    interface Shift extends PerformanceEntry {
      value: number;
      hadRecentInput: boolean;
      sources: { node: Node | null }[];
    }
  });
  await console.enter();
  await console.beginWithSix();
  await console.typeOtp(await readPhone(phone));
  await console.typePin();
  // From here on it goes by itself: nobody touches the page, so every jump counts.
  await stage.human({ enabled: true, delay_ms: 100 });
  await console.seesAllValid();
  const shifts = await console.page.evaluate(() => (globalThis as unknown as Shifts).shifts);
  const alone = shifts.filter(({ byQuestion }) => !byQuestion);
  const sum = alone.reduce((sum, { value }) => sum + value, 0);
  expect(sum, JSON.stringify(alone, null, 1)).toBeLessThan(GOOD);
});
