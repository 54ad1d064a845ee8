// A program's view of a scripted server, made anew for each test of a file.
import { afterEach, beforeEach } from "node:test";
import { Server } from "../src/index.js";
import { fastWorld } from "./fast-world.js";
import { until } from "./programs.js";
import { ScriptedServer } from "./scripted-server.js";

/** @import { TokenSource } from "../src/index.js" */

class Stage {
  /** What answers. */
  vega = new ScriptedServer();
  world = fastWorld();
  /** What a program makes. */
  server = new Server({ socket: this.vega.socket, consumer: "unit-test" }, this.world);
}

/** Sets it before each test, and clears it after. */
export function stageOfEachTest() {
  const stage = /** @type {Stage} */ ({});
  beforeEach(async () => {
    Object.assign(stage, new Stage());
    await stage.vega.listen();
  });
  afterEach(async () => {
    stage.server.close();
    await stage.vega.clear();
  });
  return stage;
}

/** The generation that a source gives out now. */
export function generationOf(/** @type {TokenSource} */ source) {
  try {
    return source.now().generation;
  } catch {
    return null;
  }
}

/**
 * @param {TokenSource} source
 * @param {number | null} expected
 * @param {number} [withinMs]
 */
export async function untilGeneration(source, expected, withinMs) {
  await until(`generation ${expected}`, () => generationOf(source) === expected, withinMs);
}
