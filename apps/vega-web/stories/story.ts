// What each story gets: a stage of its own, the console's page in a browser of its own, the phone beside it, and a watch
// that fails the story for whatever nobody expected.

import { type BrowserContext, test as base, expect, type Page } from "@playwright/test";
import { Console } from "./console";
import { type Scene, Stage } from "./stage";
import { Watch } from "./watch";

interface Story {
  /** What the story begins with. */
  scene: Scene;
  stage: Stage;
  watch: Watch;
  /** The console, not yet opened. */
  console: Console;
  /** Another person's browser with nothing in it, watched as well. */
  another: () => Promise<BrowserContext>;
  /** The human's phone. */
  phone: Page;
}

export const test = base.extend<Story>({
  scene: [{}, { option: true }],
  stage: async ({ scene }, provide) => {
    const stage = await Stage.set(scene);
    await provide(stage);
    await stage.clear();
  },
  watch: async ({ stage }, provide) => {
    const watch = new Watch(stage.opening.address);
    await provide(watch);
    expect(watch.surprises(), "what the pages complained of").toEqual([]);
  },
  console: async ({ page, stage }, provide) => {
    await provide(new Console(page, stage));
  },
  context: async ({ context, watch }, provide) => {
    await watch.over(context);
    await provide(context);
  },
  another: async ({ browser, watch, contextOptions }, provide) => {
    const opened: BrowserContext[] = [];
    await provide(async () => {
      const context = await browser.newContext(contextOptions);
      opened.push(context);
      await watch.over(context);
      return context;
    });
    for (const context of opened) await context.close();
  },
  phone: async ({ browser, stage }, provide) => {
    const context = await browser.newContext();
    const phone = await context.newPage();
    await phone.goto(stage.opening.phone);
    await provide(phone);
    await context.close();
  },
});

export { expect };
