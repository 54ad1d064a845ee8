// What comes from outside: the wall clock, randomness, and how long is waited. Tests hand in others.

/**
 * @typedef {object} World
 * @property {() => number} now The wall clock, in Unix milliseconds.
 * @property {() => number} random From 0 up to, but not including, 1.
 * @property {Limits} limits
 */

/**
 * @typedef {object} Limits In milliseconds.
 * @property {number} connectMs For a connection to be there.
 * @property {number} answerMs For a whole answer, or for the beginning of a stream.
 * @property {number} idleMs For the next byte of the stream: three of the server's heartbeats.
 * @property {number} reportMs For the answer to a report, which Upstox is asked about for 20 seconds and more.
 */

/** @type {World} */
export const REAL_WORLD = {
  now: Date.now,
  random: Math.random,
  limits: { connectMs: 5_000, answerMs: 10_000, idleMs: 45_000, reportMs: 65_000 },
};
