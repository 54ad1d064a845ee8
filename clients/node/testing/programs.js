// Where the real programs are, and how a test runs them. It starts and ends only its own; a missing program is a failure, never a
// skipped test.
import { spawn } from "node:child_process";
import { existsSync } from "node:fs";
import path from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";

const BUILT_HERE = fileURLToPath(new URL("../../../target/debug", import.meta.url));

/** What comes within moments takes long where other tests and their browsers have the machine. */
const GENEROUS_MS = 60_000;

/** The path of a program: in the folder that `VEGA_BIN_DIR` names, else where cargo builds it. */
export function programPath(/** @type {string} */ name) {
  const found = path.join(process.env.VEGA_BIN_DIR ?? BUILT_HERE, name);
  if (!existsSync(found)) {
    throw new Error(
      `${found} is missing. Build it (\`cargo build --bins\`), or set VEGA_BIN_DIR to the folder that has it.`,
    );
  }
  return found;
}

/** A program that runs, with what it said so far. */
export class Running {
  /** @type {import("node:child_process").ChildProcess} */
  #child;
  /** @type {Promise<number | null>} */
  #ended;
  stdout = "";
  stderr = "";

  /**
   * @param {string} program
   * @param {string[]} args
   * @param {import("node:child_process").SpawnOptions & { given?: string }} [options] `given`: what is piped in.
   */
  constructor(program, args, { given, ...options } = {}) {
    const input = given === undefined ? "ignore" : "pipe";
    this.#child = spawn(program, args, { ...options, stdio: [input, "pipe", "pipe"] });
    this.#child.stdin?.end(given);
    this.#child.stdout?.setEncoding("utf8").on("data", (text) => {
      this.stdout += text;
    });
    this.#child.stderr?.setEncoding("utf8").on("data", (text) => {
      this.stderr += text;
    });
    this.#ended = new Promise((resolve, reject) => {
      this.#child.on("error", reject);
      this.#child.on("close", resolve);
    });
    this.#ended.catch(() => {});
  }

  /** Its exit code; `null` when a signal ended it. */
  get ended() {
    return this.#ended;
  }

  /** Sends it a signal and waits until it has ended. */
  async stop(/** @type {NodeJS.Signals} */ signal = "SIGTERM") {
    this.#child.kill(signal);
    return await this.#ended;
  }
}

/**
 * Waits until something holds, or fails with what was waited for.
 *
 * @param {string} what
 * @param {() => unknown} holds Awaited; what it throws counts as "not yet".
 * @param {number} [withinMs]
 */
export async function until(what, holds, withinMs = GENEROUS_MS) {
  const deadline = performance.now() + withinMs;
  /** @type {unknown} */
  let last;
  while (performance.now() < deadline) {
    try {
      if (await holds()) {
        return;
      }
    } catch (error) {
      last = error;
    }
    await sleep(10);
  }
  throw new Error(`${what}: not within ${withinMs} ms (${last ?? "it does not hold"})`);
}
