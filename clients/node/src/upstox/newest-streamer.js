// A streamer that lives on the newest token: it makes an SDK streamer for each generation, hands its events on, and connects anew when a
// connection ends. The SDK's own reconnecting is off: after five attempts it throws at the process (2.31.0), and it knows no dead token.
import { EventEmitter } from "node:events";
import { Backoff } from "../backoff.js";
import { connectWith } from "./authentication.js";

/** @import { Token } from "../token.js" */
/** @import { TokenSource } from "../token-source.js" */
/** @import { SdkStreamer, UpstoxSdk } from "./sdk.js" */

/** What `ws` says of a handshake that Upstox refuses because of the token. It has no code for it. */
const REFUSED_TOKEN = /Unexpected server response: 401/;

/** With a token that Upstox refuses for another cause than its death, such as the static IP. */
const AFTER_REFUSAL_MS = 30_000;

/**
 * @typedef {object} StreamerEvents As the SDK's streamers have them; `error` only if somebody listens.
 * @property {[]} open
 * @property {[message: Buffer | string]} message
 * @property {[error: any]} error
 * @property {[]} close
 * @property {[words: string]} reconnecting
 */

/**
 * From `connect` to `disconnect` it keeps the process running, as an open connection does.
 *
 * @template {SdkStreamer} S
 * @extends {EventEmitter<StreamerEvents>}
 */
export class NewestStreamer extends EventEmitter {
  #sdk;
  #source;
  /** @type {AsyncIterableIterator<number | null> | undefined} */
  #changes;
  /** @type {Connection<S> | undefined} */
  #connection;
  /** @type {NodeJS.Timeout | undefined} */
  #retry;
  #backoff = new Backoff(Math.random);

  /**
   * @param {UpstoxSdk} sdk
   * @param {TokenSource} source
   */
  constructor(sdk, source) {
    super();
    this.#sdk = sdk;
    this.#source = source;
  }

  /** Connects as soon as there is a token, and again with each new one, until `disconnect`. */
  connect() {
    if (!this.#changes) {
      this.#changes = this.#source.changes();
      void this.#follow(this.#changes);
    }
  }

  /** Ends the connection. Subscriptions are kept for another `connect`. */
  disconnect() {
    void this.#changes?.return?.();
    this.#changes = undefined;
    this.#close();
  }

  /**
   * An SDK streamer that is not connected.
   *
   * @protected
   * @returns {S}
   */
  makeStreamer() {
    throw new Error("makeStreamer is each kind's own");
  }

  /**
   * The connection is open: what must be said on it.
   *
   * @protected
   * @param {S} _streamer
   */
  opened(_streamer) {}

  /**
   * The SDK streamer whose connection is open.
   *
   * @protected
   */
  get openStreamer() {
    return this.#connection?.isOpen ? this.#connection.streamer : undefined;
  }

  async #follow(/** @type {AsyncIterableIterator<number | null>} */ changes) {
    for await (const generation of changes) {
      this.#close();
      if (generation !== null) {
        this.#open();
      }
    }
    if (this.#changes === changes) {
      // The source was closed.
      this.disconnect();
    }
  }

  #open() {
    const token = this.#token();
    if (!token) {
      return;
    }
    const connection = new Connection(this.makeStreamer(), token.generation);
    const { streamer } = connection;
    this.#connection = connection;
    streamer.autoReconnect(false);
    const isCurrent = () => this.#connection === connection;
    streamer.on("open", () => {
      if (isCurrent()) {
        connection.isOpen = true;
        this.opened(streamer);
        this.emit("open");
      }
    });
    streamer.on("message", (message) => {
      if (isCurrent()) {
        this.emit("message", message);
      }
    });
    // Listened to for as long as it lives: an error that nobody listens to ends the process.
    streamer.on("error", (error) => {
      if (isCurrent()) {
        connection.isRefused ||= REFUSED_TOKEN.test(String(error));
        this.#tell(error);
      }
    });
    streamer.on("close", () => void this.#ended(connection));
    connection
      .connect(() => connectWith(this.#sdk, streamer, token))
      .catch((error) => {
        if (isCurrent()) {
          this.#tell(error);
        }
        void this.#ended(connection);
      });
  }

  /** Ends what is there, if anything is. */
  #close() {
    clearTimeout(this.#retry);
    const connection = this.#connection;
    this.#connection = undefined;
    if (connection) {
      void connection.disconnect();
      if (connection.isOpen) {
        this.emit("close");
      }
    }
  }

  /** A connection ended by itself. */
  async #ended(/** @type {Connection<S>} */ connection) {
    if (this.#connection !== connection) {
      return;
    }
    this.#connection = undefined;
    if (connection.isOpen) {
      this.emit("close");
    }
    const { lastedMs } = connection;
    if (connection.isRefused) {
      // What is dead or replaced is told by the changes.
      await this.#source.reportRejected(connection.generation).catch((error) => this.#tell(error));
    }
    if (this.#changes && !this.#connection) {
      const retryAfterMs = connection.isRefused ? AFTER_REFUSAL_MS : 0;
      const waitMs = this.#backoff.next({ clean: false, lastedMs, retryAfterMs });
      clearTimeout(this.#retry);
      this.#retry = setTimeout(() => this.#again(), waitMs);
    }
  }

  #again() {
    if (this.#token()) {
      this.emit("reconnecting", "the connection ended");
      this.#open();
    }
  }

  /** @returns {Token | undefined} */
  #token() {
    try {
      return this.#source.now();
    } catch {
      // The changes tell when there is one.
      return undefined;
    }
  }

  #tell(/** @type {unknown} */ error) {
    if (this.listenerCount("error") > 0) {
      this.emit("error", error);
    }
  }
}

/**
 * One SDK streamer and what became of it.
 *
 * @template {SdkStreamer} S
 */
class Connection {
  streamer;
  generation;
  isOpen = false;
  /** Whether Upstox refused its token. */
  isRefused = false;
  #since = performance.now();
  /** @type {Promise<void>} */
  #connecting = Promise.resolve();

  /**
   * @param {S} streamer
   * @param {number} generation
   */
  constructor(streamer, generation) {
    this.streamer = streamer;
    this.generation = generation;
  }

  get lastedMs() {
    return this.isOpen ? performance.now() - this.#since : 0;
  }

  async connect(/** @type {() => Promise<void>} */ connect) {
    this.#connecting = connect();
    await this.#connecting;
  }

  /** The SDK cannot disconnect what does not connect yet, so that is waited for. */
  async disconnect() {
    try {
      await this.#connecting;
      this.streamer.disconnect();
    } catch {
      // It never connected.
    }
  }
}
