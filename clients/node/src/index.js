// Tokens of a Vega server for Node programs, in reading order: Server → TokenSource → Token, and the errors.
export { NoToken, NotAllowed, Unreachable, VegaError } from "./errors.js";
export { Server } from "./server.js";
export { Token } from "./token.js";
export { TokenSource } from "./token-source.js";

/** @typedef {import("./server.js").ServerOptions} ServerOptions */
