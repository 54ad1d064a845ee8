// A world for tests: a wall clock that the test moves, and no jitter unless asked for. No limit ends before a busy machine has the time;
// a test of a limit sets its own.

/** @import { World } from "../src/world.js" */

/** @returns {World & { offsetMs: number }} */
export function fastWorld() {
  const world = {
    offsetMs: 0,
    now: () => Date.now() + world.offsetMs,
    random: () => 0.02,
    limits: { connectMs: 20_000, answerMs: 20_000, idleMs: 60_000, reportMs: 60_000 },
  };
  return world;
}
