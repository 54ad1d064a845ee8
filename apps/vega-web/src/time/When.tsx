// A moment to come, in time of day and in time left. Not a live region: a screen reader would read every second.

import { useNow, useNowToTheMinute } from "./clock";
import { clockOf, istStamp, istTime, lengthInWords, roughlyAgo } from "./ist";

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
      {istTime(unix, now)} ({roughlyAgo(now - unix)})
    </time>
  );
}

/** A moment on record: with its day and seconds, and roughly how far from now. */
export function Stamp({ unix }: { unix: number }) {
  const now = useNowToTheMinute();
  return (
    <time className="stamp" dateTime={new Date(unix * 1000).toISOString()}>
      {istStamp(unix)} <span className="dimmed">{roughlyAgo(now - unix)}</span>
    </time>
  );
}

/** The time left to a moment, as a clock that runs down. */
export function Countdown({ unix }: { unix: number }) {
  const now = useNow();
  return (
    <p className="countdown">
      <span className="countdown-digits">{clockOf(unix - now)}</span> left, until{" "}
      {istTime(unix, now)}
    </p>
  );
}
