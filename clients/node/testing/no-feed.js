// Loaded before an example: its TLS connections lead nowhere, so that no test reaches the real Upstox.
import net from "node:net";
import tls from "node:tls";

tls.connect = /** @type {any} */ (() => net.connect(1, "127.0.0.1"));
