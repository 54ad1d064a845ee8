// Something that answers as a test says, where vega-server would: well, wrongly, half, or not at all.
import { mkdtempSync, rmSync } from "node:fs";
import http from "node:http";
import os from "node:os";
import path from "node:path";
import { until } from "./programs.js";

/** @typedef {http.ServerResponse} Response */
/** @typedef {(request: http.IncomingMessage, response: Response, body: string) => unknown} Handler */

const A_DAY_S = 24 * 60 * 60;

/** A token that no other text looks like, so that a leak of it is found. */
export const canary = (/** @type {number} */ generation) => `CANARY-token-${generation}-of-a-test`;

export class ScriptedServer {
  #folder = mkdtempSync(path.join(os.tmpdir(), "vega-scripted-"));
  #http = http.createServer((request, response) => this.#answer(request, response));
  /** @type {Set<Response>} */
  #streams = new Set();
  /** @type {{ method: string, path: string, headers: http.IncomingHttpHeaders }[]} */
  requests = [];
  /** @type {number | null} What it serves while it is not told otherwise. */
  generation = 1;
  validUntilUnix = Math.floor(Date.now() / 1000) + A_DAY_S;
  /** @type {Handler} */
  token = (request, response) => this.serveToken(request, response);
  /** @type {Handler} */
  events = (_request, response) => this.openStream(response);
  /** @type {Handler} */
  rejections = (_request, response) => json(response, 200, { v: 1, answer: "alive" });

  get socket() {
    return path.join(this.#folder, "vega.sock");
  }

  static async start() {
    const server = new ScriptedServer();
    await server.listen();
    return server;
  }

  async listen() {
    await new Promise((resolve) => this.#http.listen(this.socket, () => resolve(undefined)));
  }

  /** The same at a port of this machine. Returns it. */
  static async startAtPort() {
    const server = new ScriptedServer();
    await new Promise((resolve) => server.#http.listen(0, "127.0.0.1", () => resolve(undefined)));
    const { port } = /** @type {import("node:net").AddressInfo} */ (server.#http.address());
    return { server, port };
  }

  /** A file in its folder. */
  path(/** @type {string} */ name) {
    return path.join(this.#folder, name);
  }

  /** Stops as a server does that is killed: every connection is reset. */
  async stop() {
    this.#http.closeAllConnections();
    await new Promise((resolve) => this.#http.close(resolve));
  }

  async clear() {
    await this.stop();
    rmSync(this.#folder, { recursive: true, force: true });
  }

  /** How many requests a route got. */
  count(/** @type {"events" | "token" | "rejections"} */ route) {
    return this.requests.filter(({ path: asked }) => asked.endsWith(`/${route}`)).length;
  }

  get openStreams() {
    return this.#streams.size;
  }

  /** Waits until a program follows the events. */
  async untilFollowed() {
    await until("a stream is open", () => this.#streams.size > 0);
  }

  /** Serves this generation from now on, or none, and tells so. */
  serve(/** @type {number | null} */ generation) {
    this.generation = generation;
    this.announce();
  }

  /** Tells what it serves. */
  announce() {
    for (const stream of this.#streams) {
      stream.write(this.#event());
    }
  }

  /** Writes text to all streams as it is. */
  say(/** @type {string} */ text) {
    for (const stream of this.#streams) {
      stream.write(text);
    }
  }

  /** Ends all streams in order. */
  endStreams() {
    for (const stream of this.#streams) {
      stream.end();
    }
  }

  /** Breaks all streams off. */
  cutStreams() {
    for (const stream of this.#streams) {
      stream.destroy();
    }
  }

  openStream(/** @type {Response} */ response) {
    this.#streams.add(response);
    response.on("close", () => this.#streams.delete(response));
    response.writeHead(200, { "content-type": "text/event-stream" });
    response.write(this.#event());
  }

  serveToken(/** @type {http.IncomingMessage} */ request, /** @type {Response} */ response) {
    const { generation } = this;
    if (generation === null) {
      problem(response, 409, "human_needed", "Run `vega PRIMARY`, and sign in.");
      return;
    }
    const tag = `"${generation}-fingerprint"`;
    if (request.headers["if-none-match"] === tag) {
      response.writeHead(304, { etag: tag }).end();
      return;
    }
    json(
      response,
      200,
      {
        v: 1,
        api: "PRIMARY",
        access_token: canary(generation),
        generation,
        valid_until_unix: this.validUntilUnix,
      },
      { etag: tag },
    );
  }

  #event() {
    const isThere = this.generation !== null;
    const data = {
      v: 1,
      api: "PRIMARY",
      servable: isThere,
      generation: this.generation,
      valid_until_unix: isThere ? this.validUntilUnix : null,
    };
    return `event: token\ndata: ${JSON.stringify(data)}\n\n`;
  }

  #answer(/** @type {http.IncomingMessage} */ request, /** @type {Response} */ response) {
    const { method = "", url = "", headers } = request;
    this.requests.push({ method, path: url, headers });
    let body = "";
    request.setEncoding("utf8").on("data", (text) => {
      body += text;
    });
    request.on("end", () => {
      const route = url.split("/").at(-1);
      if (route === "token" || route === "events" || route === "rejections") {
        this[route](request, response, body);
      } else {
        problem(response, 404, "not_found", "");
      }
    });
  }
}

/**
 * @param {Response} response
 * @param {number} status
 * @param {unknown} body
 * @param {Record<string, string>} [headers]
 */
export function json(response, status, body, headers = {}) {
  response.writeHead(status, { "content-type": "application/json", ...headers });
  response.end(JSON.stringify(body));
}

/**
 * @param {Response} response
 * @param {number} status
 * @param {string} code
 * @param {string} detail
 * @param {{ retryAfter?: number, retryAtUnix?: number }} [retry]
 */
export function problem(response, status, code, detail, { retryAfter, retryAtUnix } = {}) {
  json(
    response,
    status,
    { code, title: "A title", detail, ...(retryAtUnix && { retry_at_unix: retryAtUnix }) },
    retryAfter ? { "retry-after": String(retryAfter) } : {},
  );
}
