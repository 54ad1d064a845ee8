// The errors of this library: one class for each consequence that a program can draw. Texts name the cause and the way out, and never
// hold a token or a key. No error has another one as its `cause`: those of Node's HTTP parser carry bytes of the answer.

/** Every error of this library is one. */
export class VegaError extends Error {
  /** A stable word for the cause. Words of the server are passed on as they are. */
  code;

  /**
   * @param {string} message
   * @param {string} code
   */
  constructor(message, code) {
    super(message);
    this.code = code;
  }

  get name() {
    return this.constructor.name;
  }
}

/**
 * There is no token to trade with, and the server says why: `human_needed`, `cooling_down`, `token_unknown`, `unknown_api` and others.
 * The message says what to do.
 */
export class NoToken extends VegaError {
  /** @type {Date | undefined} When it is worth asking again, if time helps. */
  retryAt;

  /**
   * @param {string} message
   * @param {string} code
   * @param {Date} [retryAt]
   */
  constructor(message, code, retryAt) {
    super(message, code);
    this.retryAt = retryAt;
  }
}

/** The server does not answer, or not as vega-server does, and no token that still lives is in memory. */
export class Unreachable extends VegaError {}

/** The server, a file or a socket does not let this program in: a key that is revoked or lacks the scope, for example. */
export class NotAllowed extends VegaError {}
