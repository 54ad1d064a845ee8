// The generations of a source, one after the other, for `for await`. It keeps what it told last and nothing else: a reader that is slow,
// or never reads, costs no memory, and gets the newest state next.

/** @import { Core } from "./core.js" */
/** @import { TokenSource } from "./token-source.js" */

const LONGEST_TIMER_MS = 2 ** 31 - 1;

/** @implements {AsyncIterableIterator<number | null>} */
export class Changes {
  #core;
  #keepsProcess;
  /** Held so that a source is not collected while somebody listens. */
  #source;
  /** @type {number | null | undefined} */
  #told;
  #isDone = false;
  /** @type {Set<() => void>} What waits in `next`. */
  #waiting = new Set();
  /** @type {Promise<unknown>} One `next` after the other. */
  #turn = Promise.resolve();

  /**
   * @param {TokenSource} source
   * @param {Core} core
   * @param {boolean} keepsProcess
   */
  constructor(source, core, keepsProcess) {
    this.#source = source;
    this.#core = core;
    this.#keepsProcess = keepsProcess;
  }

  [Symbol.asyncIterator]() {
    return this;
  }

  /** @returns {Promise<IteratorResult<number | null, undefined>>} */
  next() {
    const next = this.#turn.then(() => this.#next());
    this.#turn = next;
    return next;
  }

  /** @returns {Promise<IteratorResult<number | null, undefined>>} */
  async return() {
    this.#isDone = true;
    for (const look of this.#waiting) {
      look();
    }
    return { done: true, value: undefined };
  }

  /** @returns {Promise<IteratorResult<number | null, undefined>>} */
  #next() {
    return new Promise((resolve) => {
      const keeper = this.#keepsProcess ? setInterval(() => {}, LONGEST_TIMER_MS) : undefined;
      const end = (/** @type {IteratorResult<number | null, undefined>} */ result) => {
        clearInterval(keeper);
        forget();
        this.#waiting.delete(look);
        resolve(result);
      };
      const look = () => {
        const { generation } = this.#core;
        if (this.#isDone || this.#source.isClosed) {
          end({ done: true, value: undefined });
        } else if (generation !== undefined && generation !== this.#told) {
          this.#told = generation;
          end({ done: false, value: generation });
        }
      };
      const forget = this.#core.onChange(look);
      this.#waiting.add(look);
      look();
    });
  }
}
