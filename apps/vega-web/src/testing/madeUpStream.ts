// A made-up stream of events: a test says what it sends and when it breaks.

import { act } from "@testing-library/react";
import type { Snapshot } from "../api/types";
import type { Heard } from "../live/eventStream";
import type { Change } from "../live/frames";

export class MadeUpStream {
  static all: MadeUpStream[] = [];

  isClosed: boolean = false;
  readonly #heard: Heard;

  constructor(heard: Heard) {
    this.#heard = heard;
    MadeUpStream.all.push(this);
  }

  /** The one that is open now. */
  static get open(): MadeUpStream {
    const open = MadeUpStream.all.filter((one) => !one.isClosed);
    if (open.length !== 1 || open[0] === undefined)
      throw new Error(`${open.length} streams are open`);
    return open[0];
  }

  /** Stands in for `openEvents`. */
  static openEvents(heard: Heard): () => void {
    const stream = new MadeUpStream(heard);
    return () => {
      stream.isClosed = true;
    };
  }

  snapshot(data: Snapshot) {
    this.#send("snapshot", data);
  }

  change(change: Change) {
    this.#send(change.event, change.data);
  }

  fail() {
    act(() => this.#heard.onEnd());
  }

  #send(event: string, data: unknown) {
    act(() => {
      if (!this.isClosed) this.#heard.onEvent(event, structuredClone(data));
    });
  }
}
