// What is used of `upstox-js-sdk`, which has no types of its own. Read in its sources, version 2.31.0.

/**
 * @typedef {object} UpstoxSdk
 * @property {{ instance: any }} ApiClient Streamers take the token from `instance` when they connect.
 * @property {new (instrumentKeys?: string[], mode?: string) => SdkMarketDataStreamer} MarketDataStreamerV3
 * @property {new (order?: boolean, position?: boolean, holding?: boolean, gtt?: boolean) => SdkStreamer} PortfolioDataStreamer
 *
 * @typedef {object} SdkStreamerMethods
 * @property {() => Promise<void>} connect
 * @property {() => void} disconnect Throws before `connect` has returned.
 * @property {(enable: boolean) => void} autoReconnect
 *
 * @typedef {object} SdkMarketDataMethods
 * @property {Readonly<Record<string, string>>} Mode
 * @property {(instrumentKeys: string[], mode: string) => void} subscribe Throws while the connection is not open.
 * @property {(instrumentKeys: string[]) => void} unsubscribe
 * @property {(instrumentKeys: string[], mode: string) => void} changeMode
 *
 * @typedef {import("node:events").EventEmitter & SdkStreamerMethods} SdkStreamer
 * @typedef {SdkStreamer & SdkMarketDataMethods} SdkMarketDataStreamer
 */

export {};
