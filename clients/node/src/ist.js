// India's time in words. It is always five and a half hours ahead of UTC, whatever zone this machine is in.

const AHEAD_MS = 5.5 * 60 * 60 * 1000;

/** `03:30 IST on 2026-12-02`, of Unix milliseconds. */
export function inIst(/** @type {number} */ atMs) {
  const shifted = new Date(atMs + AHEAD_MS).toISOString();
  return `${shifted.slice(11, 16)} IST on ${shifted.slice(0, 10)}`;
}
