// The token in memory and why there is none. Decides what may be given out: never one that is dead by the wall clock, that was
// reported dead, or that is older than one given out before. Pure: it is told the time, and asks nobody.
import { inIst } from "./ist.js";

/** @import { Refusal } from "./refusal.js" */
/** @import { Token } from "./token.js" */

export class TokenMemory {
  #api;
  /** @type {Token | undefined} */
  #token;
  /** @type {string | undefined} */
  #tag;
  /** @type {Refusal | undefined} Why the server has no token. */
  #refusal;
  /** @type {Refusal | undefined} Why the server could not be asked. */
  #trouble;
  #answers = 0;
  #isLockedOut = false;
  #newest = 0;
  #deadUpTo = 0;

  /** @param {string} api */
  constructor(api) {
    this.#api = api;
  }

  /** How often the server has said whether there is a token. */
  get answers() {
    return this.#answers;
  }

  /** Whether waiting for the first answer is over. */
  get isAnswered() {
    return this.#answers > 0 || this.#isLockedOut;
  }

  /** Takes the server's newest token. */
  accept(/** @type {Token} */ token, /** @type {string | undefined} */ tag) {
    const { generation } = token;
    if (generation <= this.#deadUpTo) {
      const words = `Upstox refuses the token of ${this.#api}, generation ${generation}. Run \`vega ${this.#api}\`, and sign in.`;
      this.drop(this.#noToken("human_needed", words));
    } else if (generation < this.#newest) {
      this.#refuseOlder(generation);
    } else {
      this.#newest = generation;
      this.#token = token;
      this.#tag = tag;
      this.#refusal = undefined;
    }
    this.#answered();
  }

  /** The server still has the same token. */
  confirm() {
    this.#answered();
  }

  /** The server has no token for this program. */
  drop(/** @type {Refusal} */ refusal) {
    this.#forget(refusal);
    this.#answered();
  }

  /** The server says that there is none, and not yet why. */
  withdraw() {
    this.#trouble = undefined;
    this.#forget(
      this.#noToken("human_needed", `There is no token of ${this.#api} now. Run \`vega status\`.`),
    );
  }

  /** The server could not be asked; what is in memory stays. */
  fail(/** @type {Refusal} */ trouble) {
    this.#trouble = trouble;
    // A file or a socket that does not let this program in is an answer, too: waiting does not help.
    this.#isLockedOut = trouble.kind === "not-allowed";
  }

  /** Upstox refuses this generation: it and older ones are never given out again. */
  markDead(/** @type {number} */ generation) {
    this.#deadUpTo = Math.max(this.#deadUpTo, generation);
    if (this.#token && this.#token.generation <= this.#deadUpTo) {
      const words = `Upstox refuses the token of ${this.#api}. Run \`vega ${this.#api}\`, and sign in.`;
      this.#forget(this.#noToken("human_needed", words));
    }
  }

  /** The token that lives at this time. */
  living(/** @type {number} */ nowMs) {
    return this.leftMs(nowMs) > 0 ? this.#token : undefined;
  }

  /** What to send as `If-None-Match`. */
  tag(/** @type {number} */ nowMs) {
    return this.living(nowMs) && this.#tag;
  }

  /** How long the token in memory still lives, in milliseconds. */
  leftMs(/** @type {number} */ nowMs) {
    return this.#token ? this.#token.validUntil.getTime() - nowMs : 0;
  }

  /**
   * The token that lives for so long, or why there is none.
   *
   * @param {number} nowMs
   * @param {number} minValidMs
   * @returns {{ token: Token } | { refusal: Refusal }}
   */
  read(nowMs, minValidMs) {
    const token = this.living(nowMs);
    if (!token) {
      return { refusal: this.#why() };
    }
    const leftMs = this.leftMs(nowMs);
    if (leftMs >= minValidMs) {
      return { token };
    }
    const words =
      `The token of ${this.#api} lives for ${Math.floor(leftMs / 1000)} more seconds, fewer than minValidMs asks for. Ask for fewer, ` +
      `or have a human sign in after ${inIst(token.validUntil.getTime())}.`;
    return { refusal: this.#noToken("human_needed", words) };
  }

  /** @returns {Refusal} */
  #why() {
    const expired =
      this.#token &&
      `The token of ${this.#api} expired at ${inIst(this.#token.validUntil.getTime())}.`;
    if (this.#trouble) {
      const { words } = this.#trouble;
      return { ...this.#trouble, words: expired ? `${expired} ${words}` : words };
    }
    if (expired) {
      return this.#noToken("human_needed", `${expired} Run \`vega ${this.#api}\`, and sign in.`);
    }
    return (
      this.#refusal ?? {
        kind: "unreachable",
        code: "unreachable",
        words: `vega-server has not said yet whether there is a token of ${this.#api}. Ask again, or wait longer (timeoutMs).`,
      }
    );
  }

  /** One of several servers may be behind: the newer token stays, if it is still there. */
  #refuseOlder(/** @type {number} */ generation) {
    if (!this.#token) {
      const words =
        `The server offers generation ${generation} for ${this.#api}, after generation ${this.#newest}. If its database was ` +
        "replaced, restart this program.";
      this.#refusal = this.#noToken("older_generation", words);
    }
  }

  #forget(/** @type {Refusal} */ refusal) {
    this.#token = undefined;
    this.#tag = undefined;
    this.#refusal = refusal;
  }

  #answered() {
    this.#answers += 1;
    this.#isLockedOut = false;
    this.#trouble = undefined;
  }

  /** @returns {Refusal} */
  #noToken(/** @type {string} */ code, /** @type {string} */ words) {
    return { kind: "no-token", code, words };
  }
}
