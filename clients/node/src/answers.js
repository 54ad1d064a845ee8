// What the server's answers and events say. Everything that came over the wire is checked here; nothing of it is shown but the words
// of a problem.
import { notVega } from "./http.js";
import { Token } from "./token.js";

/** @import { Answer } from "./http.js" */
/** @import { Refusal } from "./refusal.js" */

/**
 * @typedef {{ token: Token, tag: string | undefined } | "unchanged" | Refusal} TokenAnswer
 * @typedef {"alive" | "dead" | "newer" | "unknown"} RejectionAnswer
 * @typedef {"servable" | "none"} Announcement Whether there is a token for programs now.
 */

/** What an HTTP header can carry. */
const TOKEN = /^[\x21-\x7e]+$/;

/**
 * @param {Answer} answer
 * @param {string} server How messages name it.
 * @returns {TokenAnswer}
 */
export function readToken(answer, server) {
  if (answer.status === 304) {
    return "unchanged";
  }
  if (answer.status !== 200) {
    return readProblem(answer, server);
  }
  const { access_token, generation, valid_until_unix } = parsed(answer.body);
  const isToken =
    typeof access_token === "string" &&
    TOKEN.test(access_token) &&
    isGeneration(generation) &&
    Number.isSafeInteger(valid_until_unix);
  if (!isToken) {
    return notVega(server);
  }
  const token = new Token(access_token, generation, valid_until_unix * 1000);
  return { token, tag: answer.headers.etag };
}

/**
 * @param {Answer} answer
 * @param {string} server
 * @returns {RejectionAnswer | Refusal}
 */
export function readRejection(answer, server) {
  if (answer.status !== 200) {
    return readProblem(answer, server);
  }
  const { answer: word } = parsed(answer.body);
  if (typeof word !== "string") {
    return notVega(server);
  }
  return word === "alive" || word === "dead" || word === "newer" ? word : "unknown";
}

/**
 * The data of an event `token`; `undefined` if it is none.
 *
 * @param {string} data
 * @returns {Announcement | undefined}
 */
export function readAnnouncement(data) {
  const { servable } = parsed(data);
  return typeof servable === "boolean" ? (servable ? "servable" : "none") : undefined;
}

/**
 * Why the server refuses.
 *
 * @param {Answer} answer
 * @param {string} server
 * @returns {Refusal}
 */
export function readProblem({ status, headers, body }, server) {
  const problem = parsed(body);
  const code = text(problem.code);
  if (code === undefined) {
    return status >= 500 ? failed(status, server) : notVega(server);
  }
  const words = [text(problem.title), text(problem.detail)].filter(Boolean).join(": ");
  const retryAfter = Number(headers["retry-after"]);
  return {
    kind: kindOf(status, code),
    code,
    words: `${words || code}${wayOut(status, code)}`,
    ...(Number.isSafeInteger(problem.retry_at_unix) && {
      retryAtMs: problem.retry_at_unix * 1000,
    }),
    ...(retryAfter > 0 && { retryAfterMs: retryAfter * 1000 }),
  };
}

/** @returns {Refusal["kind"]} */
function kindOf(/** @type {number} */ status, /** @type {string} */ code) {
  if (status === 401 || status === 403) {
    return "not-allowed";
  }
  const isAboutTheToken =
    status === 409 || status === 429 || code === "unknown_api" || code === "token_unknown";
  return isAboutTheToken ? "no-token" : status === 400 ? "misuse" : "unreachable";
}

/** What the server's words do not say, because it does not know who asks. */
function wayOut(/** @type {number} */ status, /** @type {string} */ code) {
  if (status === 401) {
    return " If the key was revoked or has expired, put a new one into keyFile (`vega key add NAME --scope token:API`).";
  }
  return code === "not_found"
    ? " This vega-server is older than this library needs: update it."
    : "";
}

/** @returns {Refusal} */
function failed(/** @type {number} */ status, /** @type {string} */ server) {
  const words = `vega-server at ${server} failed (HTTP ${status}). Its log says why.`;
  return { kind: "unreachable", code: "unexpected", words };
}

export function isGeneration(/** @type {unknown} */ value) {
  return Number.isSafeInteger(value) && /** @type {number} */ (value) > 0;
}

function text(/** @type {unknown} */ value) {
  return typeof value === "string" && value !== "" ? value : undefined;
}

/**
 * A JSON object, or an empty one. What JSON.parse says of a fault is not passed on: it quotes the text.
 *
 * @returns {Record<string, any>}
 */
function parsed(/** @type {string} */ json) {
  try {
    const value = JSON.parse(json);
    return typeof value === "object" && value !== null ? value : {};
  } catch {
    return {};
  }
}
