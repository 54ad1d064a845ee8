// Where the server is and how it is reached, from the options of `Server`. A key goes to this machine or over TLS, never in plain text
// to another one. It checks options and connects to nothing.
import { readFileSync } from "node:fs";
import http from "node:http";
import https from "node:https";
import { isIP } from "node:net";
import path from "node:path";
import { readKeyFile } from "./key-file.js";
import { Refused } from "./refusal.js";

/**
 * @typedef {object} Address
 * @property {string} name As messages name it.
 * @property {boolean} isSocket
 * @property {typeof http.request} request
 * @property {http.RequestOptions & https.RequestOptions} options
 * @property {() => Record<string, string>} headers Read anew for each request, so that a key can be replaced while a program runs.
 */

/**
 * @typedef {object} AddressOptions
 * @property {string} [socket] The server's socket. Default: `$XDG_RUNTIME_DIR/vega/vega.sock`.
 * @property {string} [url] In the place of a socket: `https://HOST:PORT`, or `http://127.0.0.1:PORT` on this machine.
 * @property {string} [keyFile] With `url`: the file that holds the access key.
 * @property {string} [ca] With `https`: a PEM file with the authority that signed the server's certificate, in the place of the
 * usual ones.
 */

/** @returns {Address} */
export function addressOf(/** @type {AddressOptions} */ { socket, url, keyFile, ca }) {
  if (url === undefined) {
    if (keyFile !== undefined || ca !== undefined) {
      throw new TypeError(
        "keyFile and ca go with url: a socket needs neither, for the kernel says who calls.",
      );
    }
    return socketAddress(socket ?? usualSocket());
  }
  if (socket !== undefined) {
    throw new TypeError("Give either socket or url, not both.");
  }
  if (keyFile === undefined) {
    throw new TypeError("url needs keyFile: the file with a key that `vega key add` made.");
  }
  return urlAddress(url, keyFile, ca);
}

/** @returns {Address} */
function socketAddress(/** @type {string} */ socket) {
  return {
    name: socket,
    isSocket: true,
    request: http.request,
    options: { socketPath: socket, agent: new http.Agent({ keepAlive: false }) },
    headers: () => ({ host: "localhost" }),
  };
}

function usualSocket() {
  const folder = process.env.XDG_RUNTIME_DIR;
  if (!folder) {
    throw new Refused({
      kind: "unreachable",
      code: "no_address",
      words:
        "XDG_RUNTIME_DIR is not set, so it is not known where the server's socket is. Give the one that the server's log names: " +
        "new Server({ socket }).",
    });
  }
  return path.join(folder, "vega", "vega.sock");
}

/**
 * @param {string} text
 * @param {string} keyFile
 * @param {string | undefined} ca
 * @returns {Address}
 */
function urlAddress(text, keyFile, ca) {
  const url = serverUrl(text);
  const host = url.hostname.replace(/^\[|\]$/g, "");
  const isPlain = url.protocol === "http:";
  if (isPlain && !isLoopback(host)) {
    throw new TypeError(
      `An access key is not sent to ${url.host} in plain text. Use https, or a tunnel (\`ssh -L 28020:127.0.0.1:28020 HOST\`) ` +
        "and http://127.0.0.1:28020.",
    );
  }
  if (isPlain && ca !== undefined) {
    throw new TypeError("ca goes with https.");
  }
  // Told now rather than with the first request.
  readKeyFile(keyFile);
  const headers = () => ({ authorization: `Bearer ${readKeyFile(keyFile)}` });
  const options = { host, port: url.port || (isPlain ? 80 : 443) };
  if (isPlain) {
    const agent = new http.Agent({ keepAlive: false });
    // What a name server says of `localhost` does not count.
    const lookup = host === "localhost" ? lookUpLoopback : undefined;
    return {
      name: url.origin,
      isSocket: false,
      request: http.request,
      options: { ...options, agent, ...(lookup && { lookup }) },
      headers,
    };
  }
  const agent = new https.Agent({ keepAlive: false, maxCachedSessions: 0 });
  const authority = ca === undefined ? {} : { ca: readAuthority(ca) };
  return {
    name: url.origin,
    isSocket: false,
    request: https.request,
    // Said here, so that NODE_TLS_REJECT_UNAUTHORIZED does not count.
    options: { ...options, ...authority, agent, rejectUnauthorized: true },
    headers,
  };
}

function serverUrl(/** @type {string} */ text) {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  const isPlainOrigin =
    url !== undefined &&
    ["http:", "https:"].includes(url.protocol) &&
    url.username + url.password + url.search + url.hash === "" &&
    url.pathname === "/";
  if (!isPlainOrigin) {
    // Not shown: there may be a password in it.
    throw new TypeError(
      "url must be scheme, host and port and nothing else, such as https://vega.example:8443.",
    );
  }
  return url;
}

function isLoopback(/** @type {string} */ host) {
  return host === "localhost" || host === "::1" || (isIP(host) === 4 && /^127\./.test(host));
}

/** @type {import("node:net").LookupFunction} */
function lookUpLoopback(_host, options, found) {
  if (options.all) {
    found(null, [
      { address: "127.0.0.1", family: 4 },
      { address: "::1", family: 6 },
    ]);
  } else {
    found(null, "127.0.0.1", 4);
  }
}

function readAuthority(/** @type {string} */ file) {
  try {
    return readFileSync(file);
  } catch (error) {
    const { code } = /** @type {NodeJS.ErrnoException} */ (error);
    throw new TypeError(`The authority in ${file} cannot be read (${code}): ca is a PEM file.`);
  }
}
