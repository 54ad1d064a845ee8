// The token where the SDK looks for it, at the moment at which it looks.
import { inspect } from "node:util";

/** @import { Token } from "../token.js" */
/** @import { TokenSource } from "../token-source.js" */
/** @import { UpstoxSdk } from "./sdk.js" */

/** As `apiClient.authentications["OAUTH2"]`. The token is no property of its own, so that nothing prints it. */
class OAuth2 {
  #token;
  type = "oauth2";

  /** @param {() => Token} token */
  constructor(token) {
    this.#token = token;
  }

  get accessToken() {
    return this.#token().value;
  }

  [inspect.custom]() {
    return "OAuth2 { accessToken: [redacted] }";
  }
}

/**
 * Lets each request of an `ApiClient` carry the newest token. Where there is none, the SDK's calls throw `NoToken` (or what else
 * `source.now()` throws) at once, and nothing is sent.
 *
 * @param {any} apiClient Such as `UpstoxClient.ApiClient.instance`.
 * @param {TokenSource} source
 */
export function authenticate(apiClient, source) {
  apiClient.authentications.OAUTH2 = new OAuth2(() => source.now());
}

/**
 * Connects a streamer with this token. The SDK's streamers ask `ApiClient.instance` while `connect` runs its first, synchronous part:
 * for so long another client stands there, and a program may have streamers of several APIs.
 *
 * @param {UpstoxSdk} sdk
 * @param {import("./sdk.js").SdkStreamer} streamer
 * @param {Token} token
 */
export function connectWith({ ApiClient }, streamer, token) {
  const usual = ApiClient.instance;
  ApiClient.instance = { authentications: { OAUTH2: new OAuth2(() => token) } };
  try {
    return streamer.connect();
  } finally {
    ApiClient.instance = usual;
  }
}
