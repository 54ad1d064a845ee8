// For programs with Upstox's own SDK, `upstox-js-sdk`: its requests and its streamers with the newest token. The SDK is handed in, not
// imported: a program's copy of it is the one that counts.
export { authenticate } from "./upstox/authentication.js";
export { MarketDataStreamerV3 } from "./upstox/market-data.js";
export { PortfolioDataStreamer } from "./upstox/portfolio.js";

/** @typedef {import("./upstox/sdk.js").UpstoxSdk} UpstoxSdk */
