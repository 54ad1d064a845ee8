// One stream of the server's events, until it breaks or is closed. An `EventSource` could not show the session's second
// secret, so it is read as an answer that goes on.

import { events } from "../api/client";

export interface Heard {
  onEvent(name: string, data: unknown): void;
  /** It broke, or was refused. Not told of a stream that was closed. */
  onEnd(): void;
}

/** Returns what closes it. */
export function openEvents({ onEvent, onEnd }: Heard): () => void {
  const closed = new AbortController();
  const { signal } = closed;
  const end = () => {
    if (!signal.aborted) onEnd();
  };
  read(signal, (name, data) => {
    if (!signal.aborted) onEvent(name, data);
  }).then(end, end);
  return () => closed.abort();
}

async function read(signal: AbortSignal, onEvent: Heard["onEvent"]) {
  const { stream } = await events({
    signal,
    // Ours to open again: when and whether is decided by why it broke.
    sseMaxRetryAttempts: 1,
    onSseEvent: ({ event, data }) => {
      // A heartbeat is none.
      if (event !== undefined) onEvent(event, data);
    },
  });
  for (;;) {
    const { done } = await stream.next();
    if (done) return;
  }
}
