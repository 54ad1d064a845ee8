// The simulated human: when its switch is on, types the OTP and the PIN, ticks the challenge and allows the consent,
// each once per screen, as a person in the window would. The switch and the secrets come from a private backend.
"use strict";

(() => {
  const { transaction, part, current } = loginPage;
  const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
  const nextScreen = () => new Promise((resolve) => document.addEventListener("loginscreen", resolve, { once: true }));
  let handled = 0;

  async function presence() {
    const response = await fetch(`/login/api/human?transaction=${transaction}`);
    return response.json();
  }

  async function entry() {
    const response = await fetch("/login/api/human/entry", {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify({ transaction }),
    });
    return response.json();
  }

  async function until(condition) {
    while (!condition()) await sleep(20);
  }

  /** Types what the human knows and presses the button; a slip of the finger is noticed and typed again. */
  async function type(instance, delayMs) {
    const stillHere = () => current().instance === instance;
    for (;;) {
      const { value, mistyped } = await entry();
      const input = part("input");
      if (value === null || !input || !stillHere()) return;
      input.value = value;
      input.dispatchEvent(new Event("input", { bubbles: true }));
      const button = part("submit");
      await until(() => !stillHere() || !button.disabled);
      if (!stillHere()) return;
      button.click();
      if (!mistyped) return;
      await until(() => !stillHere() || input.value === "");
      if (!stillHere()) return;
      await sleep(delayMs);
    }
  }

  /** The box says who ticks it: another hand would not. */
  function tickChallenge() {
    const box = part("challenge-box");
    if (!box) return;
    box.dataset.tickedBy = "human";
    box.click();
  }

  async function act(screen, instance, human) {
    await sleep(human.delay_ms);
    if (current().instance !== instance) return;
    if (screen === "mobile") {
      tickChallenge();
      if (human.also_mobile) await type(instance, human.delay_ms);
    } else if (screen === "consent") {
      part("allow").click();
    } else if (screen === "otp" || screen === "pin") {
      await type(instance, human.delay_ms);
    }
  }

  async function watch() {
    for (;;) {
      const { screen, instance } = current();
      const arrived = nextScreen();
      if (instance !== handled) {
        try {
          const human = await presence();
          if (human.enabled) {
            handled = instance;
            await act(screen, instance, human);
          }
        } catch {
          // The page is being left, or the simulator ends.
        }
      }
      if (current().instance === instance) await Promise.race([arrived, sleep(250)]);
    }
  }

  watch();
})();
