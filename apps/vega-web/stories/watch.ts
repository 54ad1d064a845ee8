// Looks over the shoulder of every page of the console: whatever its script throws, complains of, or its content security
// policy refuses, fails the story, unless the story expects it.

import type { BrowserContext, Page } from "@playwright/test";

/** What a watched page can call. */
interface Reporting {
  vegaStoryReport: (words: string) => void;
}

export class Watch {
  private readonly seen: string[] = [];
  private readonly expected: RegExp[] = [];

  /** `console` is the address of the console; what other pages do is not ours. */
  constructor(private readonly console: string) {}

  /** Looks at this context's pages, those to come too. */
  async over(context: BrowserContext) {
    await context.exposeBinding("vegaStoryReport", ({ page }, words: string) => {
      this.saw(page, words);
    });
    await context.addInitScript(() => {
      addEventListener("securitypolicyviolation", (event) => {
        const { vegaStoryReport: report } = globalThis as unknown as Reporting;
        const { effectiveDirective, blockedURI, sourceFile, sample } = event;
        report(`policy: ${effectiveDirective} ${blockedURI} ${sourceFile} ${sample}`);
      });
    });
    context.on("weberror", (error) => this.saw(error.page(), `thrown: ${error.error().message}`));
    context.on("console", (message) => {
      const is = message.type();
      if (is === "error" || is === "warning") {
        this.saw(message.page(), `${is}: ${message.text()} (${message.location().url})`);
      }
    });
  }

  private saw(page: Page | null, words: string) {
    if (page === null || page.url().startsWith(this.console)) this.seen.push(words);
  }

  /** From now on, and looking back, this may be. */
  expects(...words: RegExp[]) {
    this.expected.push(...words);
  }

  /** What nobody expects. */
  surprises(): string[] {
    return this.seen.filter((words) => !this.expected.some((expected) => expected.test(words)));
  }
}
