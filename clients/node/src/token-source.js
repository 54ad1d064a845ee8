// What programs hold: always the newest token of one API. It checks arguments and hands on; what is decided is decided in Core.
import { isGeneration } from "./answers.js";
import { Changes } from "./changes.js";

/** @import { Core } from "./core.js" */
/** @import { Token } from "./token.js" */

const FIRST_ANSWER_MS = 10_000;

/** Stops the followers of sources that programs dropped without closing them. */
const dropped = new FinalizationRegistry((/** @type {Core} */ core) => core.close());

/**
 * Always the newest token of one API. Made by `server.tokens(api)`; keep it for as long as the program runs.
 */
export class TokenSource {
  #core;

  /** @param {Core} core */
  constructor(core) {
    this.#core = core;
    dropped.register(this, core, this);
  }

  /**
   * The token. The first call waits for the server's first answer; later ones come from memory.
   *
   * @param {object} [options]
   * @param {number} [options.minValidMs] Refuses a token that dies sooner, in milliseconds.
   * @param {number} [options.timeoutMs] How long to wait for the first answer, in milliseconds; 10,000 if not given.
   * @returns {Promise<Token>}
   * @throws {NoToken} There is none, and the message says what to do.
   * @throws {Unreachable} The server does not answer, and no token in memory lives.
   * @throws {NotAllowed} The server does not let this program in.
   */
  async current({ minValidMs = 0, timeoutMs = FIRST_ANSWER_MS } = {}) {
    checkLength("minValidMs", minValidMs);
    checkLength("timeoutMs", timeoutMs);
    await this.#core.firstAnswer(timeoutMs);
    return this.now({ minValidMs });
  }

  /**
   * The same from memory alone, for code that cannot wait. Before the first answer of the server it throws `Unreachable`.
   *
   * @param {object} [options]
   * @param {number} [options.minValidMs] Refuses a token that dies sooner, in milliseconds.
   * @returns {Token}
   */
  now({ minValidMs = 0 } = {}) {
    checkLength("minValidMs", minValidMs);
    return this.#core.read(minValidMs);
  }

  /**
   * First the generation that is given out now, then each new one; `null` when there is no token. A reader that is slow gets the newest
   * state, not each one between.
   *
   * @param {object} [options]
   * @param {boolean} [options.ref] Whether waiting for the next one keeps the process running; `true` if not given.
   * @returns {AsyncIterableIterator<number | null>}
   */
  changes({ ref = true } = {}) {
    return new Changes(this, this.#core, ref);
  }

  /**
   * Reports that Upstox answered 401 to a token of this generation. `newer`: there is a newer one, and `current` has it. `dead`: it is
   * given out no more. `alive`: Upstox refused for another cause, such as the static IP. `unknown`: Upstox did not say. It can take
   * half a minute.
   *
   * @param {number} generation
   * @returns {Promise<"alive" | "dead" | "newer" | "unknown">}
   */
  async reportRejected(generation) {
    if (!isGeneration(generation)) {
      throw new TypeError("generation is the number that came with the token: token.generation.");
    }
    // Awaited here, so that the source is not collected meanwhile.
    return await this.#core.report(generation);
  }

  /** Whether `close` was called here or at the server. */
  get isClosed() {
    return this.#core.isClosed;
  }

  /** Ends it, and every wait at it. */
  close() {
    dropped.unregister(this);
    this.#core.close();
  }

  async [Symbol.asyncDispose]() {
    this.close();
  }
}

/**
 * @param {string} name
 * @param {number} value
 */
function checkLength(name, value) {
  if (typeof value !== "number" || !(value >= 0)) {
    throw new TypeError(`${name} is a length of time in milliseconds, zero or more.`);
  }
}
