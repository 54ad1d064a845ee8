// How long to wait before the next attempt to connect: full jitter, so that thousands of programs do not come at once. It decides
// lengths only and waits for nothing.

const FIRST_MS = 100;
const LONGEST_MS = 5_000;
/** After a server that stopped in order: all its programs are cut off in the same moment. */
const AFTER_CLEAN_END_MS = 1_000;
/** The longest that a server's `Retry-After` is obeyed. */
const LONGEST_RETRY_AFTER_MS = 60_000;
/** A stream that lasted so long was a success. */
const LASTED_MS = 5_000;

/**
 * @typedef {object} Ending How an attempt ended.
 * @property {boolean} clean Whether the server ended the stream in order.
 * @property {number} lastedMs How long there was a stream.
 * @property {number} [retryAfterMs] What the server asked for.
 */

export class Backoff {
  #random;
  #failures = 0;

  /** @param {() => number} random */
  constructor(random) {
    this.#random = random;
  }

  /** How long to wait now, in milliseconds. */
  next(/** @type {Ending} */ { clean, lastedMs, retryAfterMs }) {
    if (lastedMs >= LASTED_MS) {
      this.#failures = 0;
    }
    const grown = Math.min(LONGEST_MS, FIRST_MS * 2 ** this.#failures);
    this.#failures = Math.min(this.#failures + 1, 16);
    const ceiling = clean ? Math.max(grown, AFTER_CLEAN_END_MS) : grown;
    return Math.min(retryAfterMs ?? 0, LONGEST_RETRY_AFTER_MS) + this.#random() * ceiling;
  }
}
