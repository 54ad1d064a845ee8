// The server's time, which every countdown is measured by: this device's clock may be wrong. One timer ticks for the page.

import { useSyncExternalStore } from "react";

let offsetSeconds = 0;

/** Sets how far this device's clock is from the server's, in Unix seconds. */
export function setServerTime(nowUnix: number) {
  offsetSeconds = nowUnix - Math.floor(Date.now() / 1000);
}

/** The server's time in whole Unix seconds. */
export function nowUnix(): number {
  return serverTimeOf(Date.now());
}

/** The server's time at a moment of this device's clock, in its milliseconds. */
export function serverTimeOf(deviceMs: number): number {
  return Math.floor(deviceMs / 1000) + offsetSeconds;
}

/** The same, kept current each second. */
export function useNow(): number {
  return useSyncExternalStore(onTick, nowUnix);
}

/** The same to the minute: for lists in which a second more or less says nothing. */
export function useNowToTheMinute(): number {
  return useSyncExternalStore(onTick, () => nowUnix() - (nowUnix() % 60));
}

const listeners = new Set<() => void>();
let timer: ReturnType<typeof setInterval> | undefined;

function onTick(tell: () => void): () => void {
  listeners.add(tell);
  timer ??= setInterval(() => {
    for (const listener of listeners) listener();
  }, 250);
  return () => {
    listeners.delete(tell);
    if (listeners.size > 0) return;
    clearInterval(timer);
    timer = undefined;
  };
}
