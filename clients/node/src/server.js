// The server as programs name it, and one source for each API that they ask for.
import { addressOf } from "./address.js";
import { Core } from "./core.js";
import { HttpClient } from "./http.js";
import { errorOf, Refused } from "./refusal.js";
import { TokenSource } from "./token-source.js";
import { REAL_WORLD } from "./world.js";

/** @import { AddressOptions } from "./address.js" */
/** @import { Kind } from "./core.js" */
/** @import { World } from "./world.js" */

/**
 * @typedef {AddressOptions & { consumer?: string }} ServerOptions `consumer`: the name under which the server shows this program; at
 * most 64 letters, digits, dots, `_` and `-`.
 */

const CONSUMER = /^[A-Za-z0-9._-]{1,64}$/;

export class Server {
  #http;
  #world;
  /** @type {Map<string, WeakRef<TokenSource>>} */
  #sources = new Map();
  #isClosed = false;

  /**
   * Without options: the socket of this user's server. Nothing is connected to before `tokens` is called.
   *
   * @param {ServerOptions} [options]
   * @param {World} [world] Clock, randomness and limits; for tests.
   */
  constructor({ consumer, ...where } = {}, world = REAL_WORLD) {
    if (consumer !== undefined && !CONSUMER.test(consumer)) {
      throw new TypeError("consumer is a name of at most 64 letters, digits, dots, _ and -.");
    }
    this.#world = world;
    try {
      this.#http = new HttpClient(addressOf(where), world.limits, consumer);
    } catch (error) {
      throw error instanceof Refused ? errorOf(error.refusal) : error;
    }
  }

  /**
   * The tokens of an API, such as `PRIMARY`: the same source for each call, until it is closed.
   *
   * `kind: "read"`: the analytics token of the API's account. It only reads market data, and lives for a year: over 03:30, and through a
   * morning on which nobody signs in. The access key or the `[[socket]]` rule needs the scope `read:API`.
   *
   * @param {string} api
   * @param {{ kind?: Kind }} [options]
   * @returns {TokenSource}
   */
  tokens(api, { kind = "trade" } = {}) {
    if (typeof api !== "string" || api === "") {
      throw new TypeError("tokens needs the name of an API, such as PRIMARY.");
    }
    if (kind !== "trade" && kind !== "read") {
      throw new TypeError("kind is trade or read.");
    }
    if (this.#isClosed) {
      throw errorOf({ kind: "misuse", code: "closed", words: "This Server is closed." });
    }
    const name = `${kind} ${api}`;
    const known = this.#sources.get(name)?.deref();
    if (known && !known.isClosed) {
      return known;
    }
    const source = new TokenSource(new Core({ api, kind }, this.#http, this.#world));
    this.#sources.set(name, new WeakRef(source));
    return source;
  }

  /** Closes all its sources. */
  close() {
    this.#isClosed = true;
    for (const source of this.#sources.values()) {
      source.deref()?.close();
    }
    this.#sources.clear();
  }

  async [Symbol.asyncDispose]() {
    this.close();
  }
}
