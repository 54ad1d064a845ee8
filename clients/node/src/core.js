// What lives behind a TokenSource: memory, follower, waiting readers and reports under way. It knows nothing of the TokenSource, so that
// a source that a program drops can be collected while its follower still runs.
import { readRejection } from "./answers.js";
import { Follower } from "./follower.js";
import { errorOf, Refused } from "./refusal.js";
import { TokenMemory } from "./token-memory.js";

/** @import { HttpClient } from "./http.js" */
/** @import { RejectionAnswer } from "./answers.js" */
/** @import { World } from "./world.js" */

/** The longest until the wall clock is looked at again: it may be set, and a machine may sleep. */
const LOOK_AT_CLOCK_MS = 30_000;

/** @typedef {"trade" | "read"} Kind What a token opens: everything that its app may do, or only market data. */

export class Core {
  #path;
  #kind;
  #http;
  #world;
  #memory;
  #follower;
  /** @type {Set<() => void>} */
  #listeners = new Set();
  /** @type {Map<number, Promise<RejectionAnswer>>} Reports under way, by generation. */
  #reports = new Map();
  #closed = new AbortController();
  /** @type {NodeJS.Timeout | undefined} */
  #expiry;

  /**
   * @param {{ api: string, kind: Kind }} wanted
   * @param {HttpClient} http
   * @param {World} world
   */
  constructor({ api, kind }, http, world) {
    this.#kind = kind;
    this.#path = `/api/v1/apis/${encodeURIComponent(api)}`;
    this.#http = http;
    this.#world = world;
    this.#memory = new TokenMemory(api);
    this.#follower = new Follower({ path: this.#path, kind }, http, this.#memory, world, () =>
      this.#changed(),
    );
  }

  get isClosed() {
    return this.#closed.signal.aborted;
  }

  /** The generation that is given out now, `null` for none, `undefined` while the server has not said. */
  get generation() {
    if (!this.#memory.isAnswered) {
      return undefined;
    }
    return this.#memory.living(this.#world.now())?.generation ?? null;
  }

  /** The token in memory; throws why there is none. */
  read(/** @type {number} */ minValidMs) {
    if (this.isClosed) {
      throw closed();
    }
    const read = this.#memory.read(this.#world.now(), minValidMs);
    if ("token" in read) {
      return read.token;
    }
    throw errorOf(read.refusal);
  }

  /** Waits for the server's first word, but no longer than this. */
  async firstAnswer(/** @type {number} */ withinMs) {
    await this.#until(() => this.#memory.isAnswered, withinMs);
  }

  /** @returns {Promise<RejectionAnswer>} */
  async report(/** @type {number} */ generation) {
    if (this.isClosed) {
      throw closed();
    }
    if ((this.generation ?? 0) > generation) {
      return "newer";
    }
    const underWay = this.#reports.get(generation);
    if (underWay) {
      return underWay;
    }
    const report = this.#report(generation).finally(() => this.#reports.delete(generation));
    this.#reports.set(generation, report);
    return report;
  }

  /** Calls back after each change until told not to, and once when this is closed. */
  onChange(/** @type {() => void} */ listener) {
    this.#listeners.add(listener);
    return () => {
      this.#listeners.delete(listener);
    };
  }

  close() {
    if (!this.isClosed) {
      this.#closed.abort();
      this.#follower.stop();
      this.#changed();
      clearTimeout(this.#expiry);
    }
  }

  /** @returns {Promise<RejectionAnswer>} */
  async #report(/** @type {number} */ generation) {
    const answer = await this.#send(generation);
    if (typeof answer === "object") {
      if (answer.kind === "not-allowed") {
        this.#follower.refuse(answer);
      }
      throw errorOf(answer);
    }
    if (answer === "dead" || answer === "newer") {
      this.#memory.markDead(generation);
      this.#changed();
    }
    if (answer === "newer") {
      await this.#fetchNewer();
    }
    return answer;
  }

  /** Gets the token that is newer than all those that are dead; throws why that fails. */
  async #fetchNewer() {
    const { answers } = this.#memory;
    this.#follower.refresh();
    await this.#until(() => this.#memory.answers > answers, this.#world.limits.answerMs);
    this.read(0);
  }

  async #send(/** @type {number} */ generation) {
    try {
      const answer = await this.#http.ask(
        {
          method: "POST",
          path: `${this.#path}/rejections`,
          headers: { "content-type": "application/json" },
          // Servers that know one kind alone are asked as before.
          body: JSON.stringify(
            this.#kind === "trade" ? { generation } : { generation, kind: this.#kind },
          ),
          signal: this.#closed.signal,
          inBackground: false,
        },
        this.#world.limits.reportMs,
      );
      return readRejection(answer, this.#http.name);
    } catch (error) {
      if (this.isClosed) {
        throw closed();
      }
      throw error instanceof Refused ? errorOf(error.refusal) : error;
    }
  }

  /**
   * Waits until this holds, and keeps the process running meanwhile.
   *
   * @param {() => boolean} holds
   * @param {number} withinMs
   * @returns {Promise<void>}
   */
  #until(holds, withinMs) {
    return new Promise((resolve) => {
      const stop = () => {
        clearTimeout(timer);
        forget();
        resolve();
      };
      const timer = setTimeout(stop, withinMs);
      const look = () => {
        if (this.isClosed || holds()) {
          stop();
        }
      };
      const forget = this.onChange(look);
      look();
    });
  }

  #changed() {
    this.#watchExpiry();
    for (const listener of [...this.#listeners]) {
      listener();
    }
  }

  /** Tells readers when the token in memory dies, and has the server asked why. */
  #watchExpiry() {
    clearTimeout(this.#expiry);
    const leftMs = this.#memory.leftMs(this.#world.now());
    if (leftMs > 0 && !this.isClosed) {
      this.#expiry = setTimeout(
        () => {
          if (this.#memory.leftMs(this.#world.now()) <= 0) {
            this.#follower.refresh();
          }
          this.#changed();
        },
        Math.min(leftMs, LOOK_AT_CLOCK_MS),
      );
      this.#expiry.unref();
    }
  }
}

function closed() {
  return errorOf({ kind: "misuse", code: "closed", words: "This source of tokens is closed." });
}
