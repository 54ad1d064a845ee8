// Server-sent events from text as it arrives (WHATWG HTML, "Interpreting an event stream"). It knows fields and events and nothing of
// what they mean. `id` and `retry` are ignored: the first event of a connection tells all, and the pace is Backoff's.

/** Longer than any event of vega-server by far. */
const LONGEST = 64 * 1024;

/**
 * @typedef {object} ServerSentEvent
 * @property {string} type
 * @property {string} data
 */

/** What came is no stream of events: a line or an event without end. */
export class NotAnEventStream extends Error {}

export class EventStreamParser {
  #line = "";
  #type = "";
  /** @type {string[]} */
  #data = [];
  #dataLength = 0;
  #begun = false;
  #afterReturn = false;

  /**
   * Takes the next piece of text. Returns the events that it completed.
   *
   * @param {string} text
   * @returns {ServerSentEvent[]}
   */
  push(text) {
    let rest = text;
    if (!this.#begun && rest !== "") {
      this.#begun = true;
      rest = rest.replace(/^\uFEFF/, "");
    }
    // The second half of a line end that was cut in two.
    if (this.#afterReturn && rest !== "") {
      this.#afterReturn = false;
      rest = rest.replace(/^\n/, "");
    }
    this.#afterReturn = rest === "" ? this.#afterReturn : rest.endsWith("\r");
    const lines = rest.split(/\r\n|\n|\r/);
    const last = lines.pop() ?? "";
    const events = [];
    for (const piece of lines) {
      const event = this.#complete(this.#line + piece);
      this.#line = "";
      if (event) {
        events.push(event);
      }
    }
    this.#line += last;
    if (this.#line.length > LONGEST) {
      throw new NotAnEventStream();
    }
    return events;
  }

  /** @returns {ServerSentEvent | undefined} */
  #complete(/** @type {string} */ line) {
    if (line === "") {
      return this.#dispatch();
    }
    const colon = line.indexOf(":");
    const field = colon < 0 ? line : line.slice(0, colon);
    const value = colon < 0 ? "" : line.slice(colon + 1).replace(/^ /, "");
    if (field === "event") {
      this.#type = value;
    } else if (field === "data") {
      this.#data.push(value);
      this.#dataLength += value.length;
      if (this.#dataLength > LONGEST) {
        throw new NotAnEventStream();
      }
    }
    return undefined;
  }

  #dispatch() {
    const event = { type: this.#type || "message", data: this.#data.join("\n") };
    const isOne = this.#data.length > 0;
    this.#type = "";
    this.#data = [];
    this.#dataLength = 0;
    return isOne ? event : undefined;
  }
}
