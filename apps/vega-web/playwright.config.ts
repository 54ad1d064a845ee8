// How the console's stories run: the system's own browser against the real server, two at a time. Their human
// sits in New York, so that a time of day shown in the browser's zone instead of India's is seen.

import { accessSync, constants } from "node:fs";
import { delimiter, join } from "node:path";
import { defineConfig } from "@playwright/test";

/** As Vega itself looks for it. */
const BROWSERS = ["chromium", "chromium-browser", "google-chrome", "google-chrome-stable"];

function browser(): string {
  if (process.env.CHROMIUM) return process.env.CHROMIUM;
  const folders = (process.env.PATH ?? "").split(delimiter);
  const found = BROWSERS.flatMap((name) => folders.map((folder) => join(folder, name))).find(runs);
  if (!found)
    throw new Error(`None of ${BROWSERS.join(", ")} is on the path; name one in CHROMIUM`);
  return found;
}

function runs(program: string): boolean {
  try {
    accessSync(program, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

/** Chromium's sandbox refuses root. */
const SANDBOX = process.getuid?.() === 0 ? ["--no-sandbox"] : [];

export default defineConfig({
  testDir: "stories",
  testMatch: "*.story.ts",
  outputDir: "../../target/console/failures",
  reporter: [["list"]],
  forbidOnly: !!process.env.CI,
  fullyParallel: true,
  workers: 2,
  retries: 0,
  timeout: 150_000,
  expect: { timeout: 30_000 },
  use: {
    browserName: "chromium",
    viewport: { width: 1280, height: 800 },
    locale: "en-US",
    timezoneId: "America/New_York",
    screenshot: "only-on-failure",
    launchOptions: {
      executablePath: browser(),
      args: [
        ...SANDBOX,
        "--disable-background-networking",
        "--disable-component-update",
        "--disable-sync",
        "--no-first-run",
      ],
    },
  },
});
