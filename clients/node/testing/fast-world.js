// A world for tests: a wall clock that the test moves, no jitter unless asked for, and short limits.

/** @import { World } from "../src/world.js" */

/** @returns {World & { offsetMs: number }} */
export function fastWorld() {
  const world = {
    offsetMs: 0,
    now: () => Date.now() + world.offsetMs,
    random: () => 0.02,
    limits: { connectMs: 1_000, answerMs: 1_000, idleMs: 300, reportMs: 2_000 },
  };
  return world;
}
