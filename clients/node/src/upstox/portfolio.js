// Updates of orders, positions and holdings with the newest token.
import { NewestStreamer } from "./newest-streamer.js";

/** @import { TokenSource } from "../token-source.js" */
/** @import { SdkStreamer, UpstoxSdk } from "./sdk.js" */

/**
 * In the place of the SDK's `PortfolioDataStreamer`: `new PortfolioDataStreamer(UpstoxClient, source, …)`, with the same switches.
 *
 * @extends {NewestStreamer<SdkStreamer>}
 */
export class PortfolioDataStreamer extends NewestStreamer {
  #make;

  /**
   * @param {UpstoxSdk} sdk The module `upstox-js-sdk`.
   * @param {TokenSource} source
   * @param {boolean} [orderUpdate]
   * @param {boolean} [positionUpdate]
   * @param {boolean} [holdingUpdate]
   * @param {boolean} [gttUpdate]
   */
  constructor(
    sdk,
    source,
    orderUpdate = true,
    positionUpdate = false,
    holdingUpdate = false,
    gttUpdate = false,
  ) {
    super(sdk, source);
    this.#make = () =>
      new sdk.PortfolioDataStreamer(orderUpdate, positionUpdate, holdingUpdate, gttUpdate);
  }

  /** @protected @override */
  makeStreamer() {
    return this.#make();
  }
}
