// A program that trades: calls profile at a pace, reports what Upstox refuses, and tries that call once more. It notes what would be
// a broken promise: a call that failed though there was a token, a report that fails, and a token that dies sooner than was asked for
// or was sent after Upstox had refused it. It goes on then, so that the test says which promise it was.
import { setTimeout as sleep } from "node:timers/promises";
import { NoToken, Unreachable } from "../src/index.js";

/** @import { TokenSource } from "../src/index.js" */
/** @import { Simulator } from "./simulator.js" */

const PACE_MS = 20;
/** A token must not die on its way, also where this process gets no time for a while. */
const MIN_VALID_MS = 5_000;

export class Trader {
  #source;
  #simulator;
  #now;
  #isStopped = false;
  /** @type {Set<string>} */
  #refused = new Set();
  /** @type {Promise<void>} */
  #ended;
  calls = 0;
  /** How often Upstox said 401. */
  refusals = 0;
  /** How often there was no token. */
  without = 0;
  /** @type {string[]} */
  broken = [];
  /** @type {string[]} What there was to read for a human. */
  words = [];
  /** @type {Record<number, number>} Good calls by generation. */
  good = {};

  /**
   * @param {TokenSource} source
   * @param {Simulator} simulator
   * @param {() => number} now The clock of the desk.
   */
  constructor(source, simulator, now) {
    this.#source = source;
    this.#simulator = simulator;
    this.#now = now;
    this.#ended = this.#run();
  }

  async stop() {
    this.#isStopped = true;
    await this.#ended;
  }

  async #run() {
    while (!this.#isStopped) {
      const paced = sleep(PACE_MS);
      await this.#trade().catch((error) => this.broken.push(String(error)));
      await paced;
    }
  }

  async #trade() {
    const first = await this.#call();
    if (first === 401) {
      const second = await this.#call();
      if (second !== 200 && second !== undefined) {
        this.broken.push(`${second} after a report`);
      }
    } else if (first !== 200 && first !== undefined) {
      this.broken.push(`HTTP ${first}`);
    }
  }

  /** The status; `undefined` without a token. */
  async #call() {
    const token = this.#token();
    if (!token) {
      this.without += 1;
      return undefined;
    }
    if (this.#refused.has(token.value)) {
      this.broken.push(`generation ${token.generation} was sent again`);
    }
    this.calls += 1;
    const status = await this.#simulator.profileStatus(token.value);
    if (status === 401) {
      this.refusals += 1;
      this.#refused.add(token.value);
      const answer = await this.#source.reportRejected(token.generation);
      this.words.push(`generation ${token.generation} is ${answer}`);
    } else {
      this.good[token.generation] = (this.good[token.generation] ?? 0) + 1;
    }
    return status;
  }

  #token() {
    const now = this.#now();
    try {
      const token = this.#source.now({ minValidMs: MIN_VALID_MS });
      if (token.validUntil.getTime() - now < MIN_VALID_MS) {
        this.broken.push(`generation ${token.generation} was given out too late`);
      }
      return token;
    } catch (error) {
      // The server may have taken the token back, and be away itself by now. The story says when there must be one.
      const isWithout = error instanceof NoToken || error instanceof Unreachable;
      (isWithout ? this.words : this.broken).push(String(error));
      return undefined;
    }
  }
}
