// Stands for Upstox's feeds. The SDK's streamers connect to a fixed name over TLS: in this process such connections are led to a socket
// here, and nothing else of the SDK or of `ws` is touched.
import { createServer } from "node:http";
import net from "node:net";
import tls from "node:tls";
import { WebSocketServer } from "ws";

/**
 * @typedef {object} FeedConnection
 * @property {string} path
 * @property {string | undefined} authorization
 * @property {any[]} requests What the program asked for on it.
 * @property {any} socket
 * @property {boolean} isOpen
 */

const FEED_HOST = "api.upstox.com";

export class Feed {
  #http = createServer();
  #sockets = new WebSocketServer({ noServer: true });
  #connectUsually = tls.connect;
  /** @type {FeedConnection[]} */
  connections = [];
  handshakes = 0;
  /** The status of handshakes; 101 lets in. */
  status = 101;

  constructor() {
    this.#http.on("upgrade", (request, socket, head) => {
      this.handshakes += 1;
      if (this.status !== 101) {
        socket.end(`HTTP/1.1 ${this.status} Refused\r\nContent-Length: 0\r\n\r\n`);
        return;
      }
      this.#sockets.handleUpgrade(request, socket, head, (/** @type {any} */ opened) =>
        this.#opened(request, opened),
      );
    });
  }

  async start() {
    await new Promise((resolve) => this.#http.listen(0, "127.0.0.1", () => resolve(undefined)));
    const { port } = /** @type {net.AddressInfo} */ (this.#http.address());
    const usually = this.#connectUsually;
    tls.connect = /** @type {any} */ (
      (/** @type {any} */ options, /** @type {any[]} */ ...rest) =>
        options.host === FEED_HOST || options.servername === FEED_HOST
          ? net.connect(port, "127.0.0.1")
          : /** @type {any} */ (usually)(options, ...rest)
    );
  }

  async stop() {
    tls.connect = this.#connectUsually;
    for (const { socket } of this.connections) {
      socket.terminate();
    }
    this.#http.closeAllConnections();
    await new Promise((resolve) => this.#http.close(resolve));
  }

  get open() {
    return this.connections.filter(({ isOpen }) => isOpen);
  }

  #opened(/** @type {import("node:http").IncomingMessage} */ request, /** @type {any} */ socket) {
    /** @type {FeedConnection} */
    const connection = {
      path: request.url ?? "",
      authorization: request.headers.authorization,
      requests: [],
      socket,
      isOpen: true,
    };
    this.connections.push(connection);
    socket.on("message", (/** @type {unknown} */ data) =>
      connection.requests.push(JSON.parse(String(data))),
    );
    socket.on("close", () => {
      connection.isOpen = false;
    });
  }
}
