// The one stream of a tab: keeps it open, starts it anew when it breaks, and says how it stands. What is shown without it is
// old, so whoever listens is told at once. A server that hangs is found by asking it beside the stream.

import { CallFailed, getSession, isLive, said } from "../api/client";
import type { Snapshot } from "../api/types";
import { openEvents } from "./eventStream";
import { CHANGES, type Change } from "./frames";

/** `signed_out`: the server answers, and this browser has no session. */
export type Connection = "connecting" | "live" | "gone" | "signed_out";

export interface Listener {
  onConnection(connection: Connection): void;
  onSnapshot(snapshot: Snapshot): void;
  onChange(change: Change): void;
}

const FIRST_PAUSE_MS = 500;
const LONGEST_PAUSE_MS = 5_000;
const ASK_EVERY_MS = 5_000;
const GIVE_UP_AFTER_MS = 4_000;

/** Listens until the returned function is called. */
export function listen(listener: Listener): () => void {
  /** Closes the stream that is open. */
  let close: (() => void) | undefined;
  let pause = FIRST_PAUSE_MS;
  let next: ReturnType<typeof setTimeout> | undefined;
  let over = false;

  function open() {
    const stream = openEvents({
      onEvent(name, data) {
        if (name === "snapshot") {
          pause = FIRST_PAUSE_MS;
          listener.onSnapshot(data as Snapshot);
          listener.onConnection("live");
        } else if (CHANGES.some((change) => change === name)) {
          listener.onChange({ event: name, data } as Change);
        }
      },
      onEnd: () => void broken(stream),
    });
    close = stream;
  }

  async function broken(stream: () => void) {
    stream();
    if (over || close !== stream) return;
    close = undefined;
    listener.onConnection("gone");
    const why = await hasSession();
    if (over || close !== undefined) return;
    if (why === "signed_out") {
      listener.onConnection("signed_out");
      clearInterval(watch);
      return;
    }
    next = setTimeout(open, pause);
    pause = Math.min(pause * 2, LONGEST_PAUSE_MS);
  }

  const watch = setInterval(() => {
    const stream = close;
    if (stream === undefined) return;
    void lives().then((does) => {
      if (!does) void broken(stream);
    });
  }, ASK_EVERY_MS);

  open();
  return () => {
    over = true;
    close?.();
    clearTimeout(next);
    clearInterval(watch);
  };
}

async function hasSession(): Promise<"signed_out" | "unknown"> {
  try {
    await said(getSession({ signal: AbortSignal.timeout(GIVE_UP_AFTER_MS) }));
  } catch (error) {
    if (error instanceof CallFailed && error.status === 401) return "signed_out";
  }
  return "unknown";
}

async function lives(): Promise<boolean> {
  try {
    await said(isLive({ signal: AbortSignal.timeout(GIVE_UP_AFTER_MS) }));
    return true;
  } catch {
    return false;
  }
}
