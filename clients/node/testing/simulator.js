// The simulated Upstox of a test, with its controls (apps/upstox-simulator/README.md).
import { programPath, Running, until } from "./programs.js";

export class Simulator {
  /** @type {Running | undefined} */
  #program;
  baseUrl;

  /**
   * @param {string} baseUrl
   * @param {Running} [program] What is to be ended with it.
   */
  constructor(baseUrl, program) {
    this.baseUrl = baseUrl;
    this.#program = program;
  }

  static async start() {
    // The human needs a moment for each step, as the page does.
    const words = ["--listen", "127.0.0.1:0", "--simulated-human", "4"];
    const program = new Running(programPath("upstox-simulator"), words);
    await until("the simulator says where it is", () => program.stdout.includes("\n"));
    return new Simulator(JSON.parse(program.stdout).base_url, program);
  }

  /** The one to which the name of Upstox leads here. */
  static ofThisNamespace() {
    const baseUrl = process.env.UPSTOX_SIMULATOR;
    if (!baseUrl) {
      throw new Error("This is run by tests/streamers/with-upstox: `npm run test:feeds`.");
    }
    return new Simulator(baseUrl);
  }

  async stop() {
    await this.#program?.stop();
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

  /** The analytics token of its account, as a human makes it there. */
  async analyticsToken() {
    return (await this.control("POST", "accounts/default/analytics_token")).access_token;
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
