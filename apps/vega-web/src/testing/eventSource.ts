// A made-up stream: a test says what it sends and when it breaks.

import { act } from "@testing-library/react";
import type { Snapshot } from "../api/types";
import type { Change } from "../live/frames";

export class MadeUpEventSource extends EventTarget {
  static all: MadeUpEventSource[] = [];

  readonly url: string;
  isClosed = false;
  onerror: ((event: Event) => void) | null = null;

  constructor(url: string) {
    super();
    this.url = url;
    MadeUpEventSource.all.push(this);
  }

  /** The one that is open now. */
  static get open(): MadeUpEventSource {
    const open = MadeUpEventSource.all.filter((one) => !one.isClosed);
    if (open.length !== 1 || open[0] === undefined)
      throw new Error(`${open.length} streams are open`);
    return open[0];
  }

  close() {
    this.isClosed = true;
  }

  snapshot(data: Snapshot) {
    this.#send("snapshot", data);
  }

  change(change: Change) {
    this.#send(change.event, change.data);
  }

  fail() {
    act(() => this.onerror?.(new Event("error")));
  }

  #send(event: string, data: unknown) {
    act(() => {
      this.dispatchEvent(new MessageEvent(event, { data: JSON.stringify(data) }));
    });
  }
}
