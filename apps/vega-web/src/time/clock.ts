// The server's time, which every countdown is measured by: this device's clock may be wrong.

import { useSyncExternalStore } from "react";

let offsetSeconds = 0;

/** Sets how far this device's clock is from the server's, in Unix seconds. */
export function setServerTime(nowUnix: number) {
  offsetSeconds = nowUnix - Math.floor(Date.now() / 1000);
}

/** The server's time in whole Unix seconds. */
export function nowUnix(): number {
  return Math.floor(Date.now() / 1000) + offsetSeconds;
}

/** The same, kept current each second. */
export function useNow(): number {
  return useSyncExternalStore(everySecond, nowUnix);
}

function everySecond(tell: () => void): () => void {
  const timer = setInterval(tell, 250);
  return () => clearInterval(timer);
}
