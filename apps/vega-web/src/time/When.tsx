// A moment to come, in time of day and in time left. Not a live region: a screen reader would read every second.

import { useNow } from "./clock";
import { istTime, lengthInWords } from "./ist";

export function Until({ unix }: { unix: number }) {
  const now = useNow();
  const left = unix - now;
  return (
    <time className="until" dateTime={new Date(unix * 1000).toISOString()}>
      {istTime(unix, now)} ({left > 0 ? `in ${lengthInWords(left)}` : "now"})
    </time>
  );
}

/** A moment that was. */
export function Ago({ unix }: { unix: number }) {
  const now = useNow();
  return (
    <time dateTime={new Date(unix * 1000).toISOString()}>
      {istTime(unix, now)} ({lengthInWords(now - unix)} ago)
    </time>
  );
}
