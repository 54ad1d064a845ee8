// The console as its human knows it: what stands where, and the moves that every story makes.

import { expect, type Locator, type Page } from "@playwright/test";
import type { Stage } from "./stage";

export class Console {
  constructor(
    readonly page: Page,
    private readonly stage: Stage,
  ) {}

  /** Opens it with a link of its own. */
  async enter() {
    await this.page.goto(await this.stage.link());
    await expect(this.verdict).toBeVisible();
  }

  /** Goes to another of its pages. */
  async open(name: string) {
    await this.page.getByRole("navigation").getByRole("link", { name }).click();
    await expect(this.page.getByRole("heading", { level: 1, name })).toBeVisible();
    await expect(this.page.getByLabel(/^(Asking|Reading)/)).toHaveCount(0);
  }

  /** The answer at the top. */
  get verdict(): Locator {
    return this.page.getByRole("status").filter({ hasText: "Can I trade at 09:15 IST?" });
  }

  card(api: string): Locator {
    const heading = this.page.getByRole("heading", { name: api, level: 3, exact: true });
    return this.page.getByRole("listitem").filter({ has: heading });
  }

  /** The cards that say so as their status. */
  cards(status: string): Locator {
    const heading = this.page.getByRole("heading", { level: 3 });
    const word = this.page.getByText(status, { exact: true });
    return this.page.getByRole("listitem").filter({ has: heading }).filter({ has: word });
  }

  /** What the human is asked or told, by its heading. */
  prompt(title: string | RegExp): Locator {
    return this.page.getByRole("region", { name: title });
  }

  button(name: string | RegExp): Locator {
    return this.page.getByRole("button", { name });
  }

  /** From the one action to the yes. */
  async begin(action: string | RegExp, yes: string | RegExp) {
    await this.button(action).click();
    await this.button(yes).click();
    await expect(this.prompt("Confirm the plan")).toBeHidden();
  }

  async beginWithSix() {
    await this.begin("Generate 6 tokens", "Yes, sign in for 6 APIs");
  }

  get otpField(): Locator {
    return this.prompt(/^OTP needed/).getByLabel(/OTP/);
  }

  get pinField(): Locator {
    return this.prompt(/^PIN needed/).getByLabel(/PIN/);
  }

  async typeOtp(otp: string) {
    await this.otpField.fill(otp);
    await this.button("Send the OTP").click();
  }

  async typePin(pin = this.stage.opening.pin) {
    await this.pinField.fill(pin);
    await this.button("Send the PIN").click();
  }

  /** Types the PIN whenever it is asked for, until the run is over. */
  async typePinUntil(over: Locator) {
    for (;;) {
      await expect(this.pinField.or(over).first()).toBeVisible({ timeout: 60_000 });
      if (await over.isVisible()) return;
      const asked = await this.prompt(/^PIN needed/).getAttribute("aria-labelledby");
      await this.typePin();
      await expect(this.page.locator(`[aria-labelledby="${asked}"]`)).toBeHidden();
    }
  }

  async seesAllValid(count = 6) {
    await expect(this.cards("Valid")).toHaveCount(count, { timeout: 90_000 });
    await expect(this.page.getByText("All done")).toBeVisible();
  }
}

/** The OTP that came last, read from the simulator's phone in a window of its own. */
export async function readPhone(phone: Page): Promise<string> {
  const code = phone.getByRole("listitem").first().locator("strong");
  await expect(code).toHaveText(/^\d{6}$/);
  return await code.innerText();
}

/** What a browser says of a server that is not there. */
export const GONE =
  /net::ERR_(CONNECTION_REFUSED|INCOMPLETE_CHUNKED_ENCODING|EMPTY_RESPONSE|CONNECTION_RESET)/;
/** What a browser says of a call without a session. */
export const NO_SESSION = /the server responded with a status of 401/;
