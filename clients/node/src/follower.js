// Keeps a memory up to date in the background: follows the server's events of one API, asks for the token at each, and connects anew
// when the stream ends. It never keeps the process from ending, and nothing that fails here is thrown at anybody: it is put into the
// memory as the cause that the next reader is told.
import { setTimeout as sleep } from "node:timers/promises";
import { readAnnouncement, readProblem, readToken } from "./answers.js";
import { Backoff } from "./backoff.js";
import { EventStreamParser, NotAnEventStream } from "./event-stream.js";
import { notVega } from "./http.js";
import { Refused } from "./refusal.js";

/** @import { Ending } from "./backoff.js" */
/** @import { HttpClient } from "./http.js" */
/** @import { Refusal } from "./refusal.js" */
/** @import { Kind } from "./core.js" */
/** @import { TokenMemory } from "./token-memory.js" */
/** @import { World } from "./world.js" */

export class Follower {
  #path;
  #query;
  #http;
  #memory;
  #world;
  #changed;
  #backoff;
  #stopped = new AbortController();
  /** Whether the events are followed now. */
  #isConnected = false;
  /** Whether the token is to be asked for since the last question was sent. */
  #isStale = false;
  #isAsking = false;

  /**
   * @param {{ path: string, kind: Kind }} wanted `path`: of the API, such as `/api/v1/apis/PRIMARY`.
   * @param {HttpClient} http
   * @param {TokenMemory} memory
   * @param {World} world
   * @param {() => void} changed Called after each change of the memory.
   */
  constructor({ path, kind }, http, memory, world, changed) {
    this.#path = path;
    // Servers that know one kind alone are asked as before.
    this.#query = kind === "trade" ? "" : `?kind=${kind}`;
    this.#http = http;
    this.#memory = memory;
    this.#world = world;
    this.#changed = changed;
    this.#backoff = new Backoff(world.random);
    void this.#run();
  }

  stop() {
    this.#stopped.abort();
  }

  /** Asks for the token now, or once more if that is under way. */
  refresh() {
    this.#isStale = true;
    if (!this.#isAsking) {
      void this.#askUntilFresh();
    }
  }

  /** What came instead of the stream or of the token. */
  refuse(/** @type {Refusal} */ refusal) {
    if (refusal.kind === "no-token" || refusal.kind === "not-allowed") {
      this.#memory.drop(refusal);
    } else {
      this.#memory.fail(refusal);
    }
    this.#changed();
  }

  async #run() {
    const { signal } = this.#stopped;
    while (!signal.aborted) {
      const ending = await this.#follow();
      this.#isConnected = false;
      await this.#pause(this.#backoff.next(ending));
    }
  }

  /** One connection, from its beginning to its end. */
  async #follow() {
    /** @type {Ending} */
    const ending = { clean: false, lastedMs: 0 };
    let since = performance.now();
    try {
      const stream = await this.#http.open({
        method: "GET",
        path: `${this.#path}/events${this.#query}`,
        headers: { accept: "text/event-stream" },
        signal: this.#stopped.signal,
        inBackground: true,
      });
      since = performance.now();
      const { status, headers } = stream;
      if (status !== 200 || !headers["content-type"]?.startsWith("text/event-stream")) {
        const refusal = readProblem(
          { status, headers, body: await stream.rest() },
          this.#http.name,
        );
        this.refuse(refusal);
        return { ...ending, ...(refusal.retryAfterMs && { retryAfterMs: refusal.retryAfterMs }) };
      }
      this.#isConnected = true;
      await this.#listen(stream.text);
      return { clean: true, lastedMs: performance.now() - since };
    } catch (error) {
      this.#failed(error);
      return { ...ending, lastedMs: this.#isConnected ? performance.now() - since : 0 };
    }
  }

  async #listen(/** @type {AsyncIterable<string>} */ stream) {
    const parser = new EventStreamParser();
    for await (const text of stream) {
      for (const event of parser.push(text)) {
        if (event.type === "token") {
          this.#heard(event.data);
        }
      }
    }
  }

  #heard(/** @type {string} */ data) {
    const announcement = readAnnouncement(data);
    if (announcement === undefined) {
      throw new NotAnEventStream();
    }
    if (announcement === "none") {
      this.#memory.withdraw();
      this.#changed();
    }
    this.refresh();
  }

  async #askUntilFresh() {
    this.#isAsking = true;
    const backoff = new Backoff(this.#world.random);
    while (this.#isStale && !this.#stopped.signal.aborted) {
      this.#isStale = false;
      const refusal = await this.#ask();
      if (refusal) {
        // Without a stream its next connection asks anew.
        this.#isStale ||= this.#isConnected;
        await this.#pause(
          backoff.next({ clean: false, lastedMs: 0, retryAfterMs: refusal.retryAfterMs ?? 0 }),
        );
      }
    }
    this.#isAsking = false;
  }

  /** Asks once. Returns what speaks for asking again. */
  async #ask() {
    const tag = this.#memory.tag(this.#world.now());
    try {
      const answer = await this.#http.ask({
        method: "GET",
        path: `${this.#path}/token${this.#query}`,
        headers: tag === undefined ? {} : { "if-none-match": tag },
        signal: this.#stopped.signal,
        inBackground: true,
      });
      // What was asked before the last event may be older than the event.
      return this.#isStale ? undefined : this.#take(readToken(answer, this.#http.name));
    } catch (error) {
      return this.#failed(error);
    }
  }

  /** @returns {Refusal | undefined} */
  #take(/** @type {import("./answers.js").TokenAnswer} */ answer) {
    if (answer === "unchanged") {
      if (this.#memory.tag(this.#world.now()) === undefined) {
        // It was taken away meanwhile.
        this.#isStale = true;
        return undefined;
      }
      this.#memory.confirm();
    } else if ("token" in answer) {
      this.#memory.accept(answer.token, answer.tag);
    } else {
      this.refuse(answer);
      return answer.kind === "unreachable" ? answer : undefined;
    }
    this.#changed();
    return undefined;
  }

  /** @returns {Refusal | undefined} */
  #failed(/** @type {unknown} */ error) {
    if (this.#stopped.signal.aborted) {
      return undefined;
    }
    const refusal = error instanceof Refused ? error.refusal : notVega(this.#http.name);
    this.#memory.fail(refusal);
    this.#changed();
    return refusal;
  }

  async #pause(/** @type {number} */ forMs) {
    const { signal } = this.#stopped;
    // It rejects only when this is stopped.
    await sleep(forMs, undefined, { signal, ref: false }).catch(() => {});
  }
}
