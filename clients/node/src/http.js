// Requests to the server: one connection each, no proxies, redirects never followed, every wait with a limit. It says in words why no
// answer came, and does not judge answers.
import { Refused } from "./refusal.js";

/** @import { ClientRequest, IncomingMessage } from "node:http" */
/** @import { Address } from "./address.js" */
/** @import { Limits } from "./world.js" */
/** @import { Refusal } from "./refusal.js" */

const LONGEST_BODY = 64 * 1024;
const USER_AGENT = "vega-client-node/0.1.0";

/**
 * @typedef {object} Answer
 * @property {number} status
 * @property {import("node:http").IncomingHttpHeaders} headers
 * @property {string} body
 */

/**
 * @typedef {object} Asked
 * @property {"GET" | "POST"} method
 * @property {string} path
 * @property {Record<string, string>} [headers]
 * @property {string} [body]
 * @property {AbortSignal} signal Ends it.
 * @property {boolean} inBackground Whether the process may end meanwhile.
 */

export class HttpClient {
  #address;
  #limits;
  #common;

  /**
   * @param {Address} address
   * @param {Limits} limits
   * @param {string | undefined} consumer
   */
  constructor(address, limits, consumer) {
    this.#address = address;
    this.#limits = limits;
    this.#common = { "user-agent": USER_AGENT, ...(consumer && { "x-vega-consumer": consumer }) };
  }

  /** How messages name the server. */
  get name() {
    return this.#address.name;
  }

  /**
   * The whole answer. Throws `Refused` where none came.
   *
   * @param {Asked} asked
   * @param {number} [answerMs]
   * @returns {Promise<Answer>}
   */
  async ask(asked, answerMs = this.#limits.answerMs) {
    const deadline = new Deadline();
    try {
      const response = await this.#send(asked, deadline, answerMs);
      return await whole(response);
    } catch (error) {
      throw this.#refused(error);
    } finally {
      deadline.clear();
    }
  }

  /**
   * An answer whose body goes on and on: its beginning, and its text as it comes. It ends with an error when nothing comes for too
   * long.
   *
   * @param {Asked} asked
   * @returns {Promise<{ status: number, headers: Answer["headers"], rest: () => Promise<string>, text: AsyncIterable<string> }>}
   */
  async open(asked) {
    const deadline = new Deadline();
    try {
      const response = await this.#send(asked, deadline, this.#limits.answerMs);
      const { idleMs } = this.#limits;
      response.setTimeout(idleMs, () => response.destroy(new TooSlow(idleMs)));
      const { statusCode = 0, headers } = response;
      return {
        status: statusCode,
        headers,
        rest: () => this.#rest(response),
        text: this.#text(response),
      };
    } catch (error) {
      throw this.#refused(error);
    } finally {
      deadline.clear();
    }
  }

  async #rest(/** @type {IncomingMessage} */ response) {
    try {
      return (await whole(response)).body;
    } catch (error) {
      throw this.#refused(error);
    }
  }

  async *#text(/** @type {IncomingMessage} */ response) {
    response.setEncoding("utf8");
    try {
      for await (const text of response) {
        yield/** @type {string} */ (text);
      }
    } catch (error) {
      throw this.#refused(error);
    }
  }

  /**
   * @param {Asked} asked
   * @param {Deadline} deadline
   * @param {number} answerMs
   * @returns {Promise<IncomingMessage>}
   */
  #send(asked, deadline, answerMs) {
    const { method, path, headers, body, signal, inBackground } = asked;
    return new Promise((resolve, reject) => {
      const request = this.#address.request({
        ...this.#address.options,
        method,
        path,
        headers: { ...this.#common, ...this.#address.headers(), ...headers },
        signal,
        insecureHTTPParser: false,
      });
      deadline.set(this.#limits.connectMs, request, inBackground);
      request.on("socket", (socket) => {
        if (inBackground) {
          socket.unref();
        }
        const isThere = () => deadline.set(answerMs, request, inBackground);
        socket.once("encrypted" in socket ? "secureConnect" : "connect", isThere);
      });
      request.on("response", resolve);
      request.on("error", reject);
      request.end(body);
    });
  }

  #refused(/** @type {unknown} */ error) {
    return error instanceof Refused ? error : new Refused(whyNoAnswer(error, this.#address));
  }
}

/** A limit that ends a request. */
class Deadline {
  /** @type {NodeJS.Timeout | undefined} */
  #timer;

  /**
   * @param {number} afterMs
   * @param {ClientRequest} request
   * @param {boolean} inBackground
   */
  set(afterMs, request, inBackground) {
    this.clear();
    this.#timer = setTimeout(() => request.destroy(new TooSlow(afterMs)), afterMs);
    if (inBackground) {
      this.#timer.unref();
    }
  }

  clear() {
    clearTimeout(this.#timer);
  }
}

class TooSlow extends Error {
  /** @param {number} afterMs */
  constructor(afterMs) {
    super();
    this.afterMs = afterMs;
  }
}

class TooLarge extends Error {}

/** @returns {Promise<Answer>} */
async function whole(/** @type {IncomingMessage} */ response) {
  response.setEncoding("utf8");
  let body = "";
  for await (const text of response) {
    body += text;
    if (body.length > LONGEST_BODY) {
      throw new TooLarge();
    }
  }
  return { status: response.statusCode ?? 0, headers: response.headers, body };
}

/**
 * @param {unknown} error
 * @param {Address} address
 * @returns {Refusal}
 */
function whyNoAnswer(error, { name, isSocket }) {
  const unreachable = (/** @type {string} */ words, code = "unreachable") =>
    /** @type {Refusal} */ ({ kind: "unreachable", code, words });
  if (error instanceof TooSlow) {
    return unreachable(`vega-server at ${name} was silent for ${error.afterMs / 1000} s.`);
  }
  if (error instanceof TooLarge) {
    return notVega(name);
  }
  const { code = "" } = /** @type {NodeJS.ErrnoException} */ (error);
  switch (code) {
    case "ENOENT":
      return unreachable(
        `There is no socket at ${name}. Start vega-server, or give the socket that its log names: new Server({ socket }).`,
      );
    case "EACCES":
    case "EPERM":
      return {
        kind: "not-allowed",
        code: "socket",
        words:
          `This user may not open ${name}. Run this program as the server's user, or let its user in with socket_group and a ` +
          "[[socket]] rule in the server's vega.toml.",
      };
    case "ECONNREFUSED":
      return unreachable(`Nothing listens at ${name}. Start vega-server there.`);
    case "ENOTFOUND":
    case "EAI_AGAIN":
      return unreachable(`The name in ${name} is not known (${code}). Mend url, or the network.`);
    case "CERT_HAS_EXPIRED":
      return unreachable(`The certificate of ${name} has expired. Renew it at the server.`, "tls");
    case "ERR_TLS_CERT_ALTNAME_INVALID":
      return unreachable(
        `The certificate of ${name} is for another name. Write the name in it into url.`,
        "tls",
      );
    case "ECONNRESET":
    case "EPIPE":
      return unreachable(
        `vega-server at ${name} broke the connection off.${
          isSocket ? " A program of another user needs a [[socket]] rule in its vega.toml." : ""
        }`,
      );
  }
  if (/CERT|ISSUER|SIGNATURE/.test(code)) {
    return unreachable(
      `The certificate of ${name} is signed by nobody whom this machine trusts (${code}). Name its authority: new Server({ ca }).`,
      "tls",
    );
  }
  return code.startsWith("HPE_") || code === "EPROTO" || code.startsWith("ERR_SSL")
    ? notVega(name)
    : unreachable(`vega-server at ${name} cannot be reached (${code || "no cause is known"}).`);
}

/** @returns {Refusal} */
export function notVega(/** @type {string} */ name) {
  return {
    kind: "unreachable",
    code: "not_vega",
    words: `What listens at ${name} does not answer as vega-server does. Is it the right address, and the right scheme?`,
  };
}
