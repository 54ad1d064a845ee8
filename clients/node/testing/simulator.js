// The simulated Upstox of a test, with its controls (apps/upstox-simulator/README.md).
import { programPath, Running, until } from "./programs.js";

export class Simulator {
  /** @type {Running} */
  #program;
  baseUrl = "";

  constructor() {
    // The human needs a moment for each step, as the page does.
    this.#program = new Running(programPath("upstox-simulator"), [
      "--listen",
      "127.0.0.1:0",
      "--simulated-human",
      "4",
    ]);
  }

  static async start() {
    const simulator = new Simulator();
    await until("the simulator says where it is", () => simulator.#program.stdout.includes("\n"));
    simulator.baseUrl = JSON.parse(simulator.#program.stdout).base_url;
    return simulator;
  }

  async stop() {
    await this.#program.stop();
  }

  /** Its first account with its apps. */
  async account() {
    return (await this.control("GET", "state")).accounts[0];
  }

  /** Moves Upstox's clock. */
  async moveClock(/** @type {number} */ seconds) {
    await this.control("PUT", "clock", { offset_seconds: seconds });
  }

  /** Kills every token of the account, as a change of the static IP does. */
  async revokeTokens() {
    await this.control("POST", "accounts/default/revoke_tokens", {});
  }

  /** Every access token that ever arose, oldest first. */
  async accessTokens() {
    return /** @type {string[]} */ ((await this.control("GET", "secrets")).access_tokens);
  }

  /**
   * @param {string} method
   * @param {string} page
   * @param {unknown} [body]
   */
  async control(method, page, body) {
    const answer = await fetch(`${this.baseUrl}/_sim/${page}`, {
      method,
      headers: { "content-type": "application/json" },
      body: body === undefined ? null : JSON.stringify(body),
    });
    const text = await answer.text();
    if (!answer.ok) {
      throw new Error(`the simulator refuses ${method} ${page}: ${answer.status} ${text}`);
    }
    return text === "" ? undefined : JSON.parse(text);
  }

  /** The status of a profile call with this token. */
  async profileStatus(/** @type {string} */ token) {
    const answer = await fetch(`${this.baseUrl}/v2/user/profile`, {
      headers: { authorization: `Bearer ${token}` },
    });
    await answer.arrayBuffer();
    return answer.status;
  }
}
