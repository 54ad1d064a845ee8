// Why there is no token, kept until somebody asks. The error is made for each caller anew, so that its stack is the caller's.
import { NoToken, NotAllowed, Unreachable, VegaError } from "./errors.js";

/**
 * @typedef {object} Refusal
 * @property {"no-token" | "not-allowed" | "unreachable" | "misuse"} kind
 * @property {string} code
 * @property {string} words The cause and what to do next.
 * @property {number} [retryAtMs] When to try again, in Unix milliseconds.
 * @property {number} [retryAfterMs] How long the server asks to be left alone, in milliseconds.
 */

/**
 * @param {Refusal} refusal
 * @returns {VegaError}
 */
export function errorOf({ kind, code, words, retryAtMs }) {
  switch (kind) {
    case "no-token":
      return new NoToken(words, code, retryAtMs === undefined ? undefined : new Date(retryAtMs));
    case "not-allowed":
      return new NotAllowed(words, code);
    case "unreachable":
      return new Unreachable(words, code);
    case "misuse":
      return new VegaError(words, code);
  }
}

/**
 * A refusal on its way up.
 *
 * Internal: callers of the library never see it.
 */
export class Refused extends Error {
  /** @param {Refusal} refusal */
  constructor(refusal) {
    super(refusal.words);
    this.refusal = refusal;
  }
}
