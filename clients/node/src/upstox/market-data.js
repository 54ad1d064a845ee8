// Market data with the newest token. It remembers what is subscribed to, in which mode, and says it again on each new connection.
import { NewestStreamer } from "./newest-streamer.js";

/** @import { TokenSource } from "../token-source.js" */
/** @import { SdkMarketDataStreamer, UpstoxSdk } from "./sdk.js" */

/**
 * In the place of the SDK's `MarketDataStreamerV3`: `new MarketDataStreamerV3(UpstoxClient, source, instrumentKeys, mode)`. Subscriptions may
 * be changed at any time, also before it is connected.
 *
 * @extends {NewestStreamer<SdkMarketDataStreamer>}
 */
export class MarketDataStreamerV3 extends NewestStreamer {
  #sdk;
  /** @type {Map<string, string>} The mode of each instrument. */
  #modes = new Map();
  /** The SDK's modes, such as `ltpc` and `full`. */
  Mode;

  /**
   * @param {UpstoxSdk} sdk The module `upstox-js-sdk`.
   * @param {TokenSource} source
   * @param {string[]} [instrumentKeys]
   * @param {string} [mode] `ltpc` if not given.
   */
  constructor(sdk, source, instrumentKeys = [], mode = "ltpc") {
    super(sdk, source);
    this.#sdk = sdk;
    this.Mode = new sdk.MarketDataStreamerV3().Mode;
    this.#note(instrumentKeys, mode);
  }

  /**
   * @param {string[]} instrumentKeys
   * @param {string} mode
   */
  subscribe(instrumentKeys, mode) {
    this.#note(instrumentKeys, mode);
    this.#say((streamer) => streamer.subscribe(instrumentKeys, mode));
  }

  /** @param {string[]} instrumentKeys */
  unsubscribe(instrumentKeys) {
    for (const key of instrumentKeys) {
      this.#modes.delete(key);
    }
    this.#say((streamer) => streamer.unsubscribe(instrumentKeys));
  }

  /**
   * @param {string[]} instrumentKeys
   * @param {string} mode
   */
  changeMode(instrumentKeys, mode) {
    this.#note(instrumentKeys, mode);
    this.#say((streamer) => streamer.changeMode(instrumentKeys, mode));
  }

  /** @protected @override */
  makeStreamer() {
    return new this.#sdk.MarketDataStreamerV3();
  }

  /**
   * @protected
   * @override
   * @param {SdkMarketDataStreamer} streamer
   */
  opened(streamer) {
    for (const mode of new Set(this.#modes.values())) {
      const keys = [...this.#modes].filter(([, its]) => its === mode).map(([key]) => key);
      streamer.subscribe(keys, mode);
    }
  }

  /**
   * @param {string[]} instrumentKeys
   * @param {string} mode
   */
  #note(instrumentKeys, mode) {
    const modes = Object.values(this.Mode);
    if (!modes.includes(mode)) {
      throw new TypeError(`mode is one of ${modes.join(", ")}.`);
    }
    for (const key of instrumentKeys) {
      this.#modes.set(key, mode);
    }
  }

  #say(/** @type {(streamer: SdkMarketDataStreamer) => void} */ say) {
    const streamer = this.openStreamer;
    try {
      if (streamer) {
        say(streamer);
      }
    } catch {
      // The connection is about to end; the next one begins with what was noted.
    }
  }
}
