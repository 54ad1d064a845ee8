// A token as programs get it. Its value is shown by nothing but `value`: not by console.log, util.inspect, JSON.stringify or String.
import { inspect } from "node:util";

export class Token {
  #value;
  #generation;
  #validUntilMs;

  /**
   * @param {string} value
   * @param {number} generation
   * @param {number} validUntilMs Unix milliseconds.
   */
  constructor(value, generation, validUntilMs) {
    this.#value = value;
    this.#generation = generation;
    this.#validUntilMs = validUntilMs;
  }

  /** The secret, for the header `Authorization: Bearer …`. */
  get value() {
    return this.#value;
  }

  /** Grows by each new token of the API. */
  get generation() {
    return this.#generation;
  }

  /** When it dies, whatever anybody says: 03:30 in India. */
  get validUntil() {
    return new Date(this.#validUntilMs);
  }

  toString() {
    return `[token of generation ${this.#generation}]`;
  }

  toJSON() {
    return { generation: this.#generation, validUntil: this.validUntil };
  }

  [inspect.custom]() {
    return `Token { generation: ${this.#generation}, validUntil: ${this.validUntil.toISOString()}, value: [redacted] }`;
  }
}
