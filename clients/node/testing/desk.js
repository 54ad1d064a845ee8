// An operator's desk in a folder of its own: settings for a simulated Upstox, the real `vega` and the real `vega-server`, with a clock
// that the test moves. It is what tests/src/desk.rs is for Rust.
import { mkdirSync, mkdtempSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import os from "node:os";
import path from "node:path";
import { selfSigned } from "./certificates.js";
import { programPath, Running, until } from "./programs.js";

/** @import { Simulator } from "./simulator.js" */

const IST_AHEAD_MS = 5.5 * 3_600_000;
const A_DAY_MS = 24 * 3_600_000;

export class Desk {
  #folder;
  #simulator;
  /** @type {Record<string, string>} */
  #environment;
  /** @type {Running | undefined} */
  #server;
  #clockOffset = 0;
  url;

  /**
   * @param {Simulator} simulator
   * @param {any} account
   * @param {number} port
   */
  constructor(simulator, account, port) {
    this.#simulator = simulator;
    this.#folder = mkdtempSync(path.join(os.tmpdir(), "vega-node-"));
    this.url = `http://127.0.0.1:${port}`;
    for (const name of ["config/vega", "data", "run", "test-hooks"]) {
      mkdirSync(this.path(name), { recursive: true, mode: 0o700 });
    }
    const lines = [
      `VEGA__UPSTOX__API_BASE_URL=${simulator.baseUrl}`,
      `VEGA__BROWSER__BINARY=${this.#windowThatNobodySees()}`,
      `VEGA__SERVER__LISTEN=127.0.0.1:${port}`,
      `UPSTOX_MOBILE_NUMBER=${account.mobile}`,
      `UPSTOX_USER_ID=${account.user_id}`,
      `UPSTOX_REDIRECT_URI=${account.apps[0].redirect_uri}`,
    ];
    for (const [number, app] of account.apps.entries()) {
      lines.push(`UPSTOX_API_NAME_${number}=${app.name}`);
      lines.push(`UPSTOX_CLIENT_ID_${number}=${app.client_id}`);
      lines.push(`UPSTOX_CLIENT_SECRET_${number}=${app.client_secret}`);
    }
    writeFileSync(this.path("config/vega/.env"), `${lines.join("\n")}\n`, { mode: 0o600 });
    this.#environment = {
      TERM: "xterm",
      PATH: process.env.PATH ?? "",
      HOME: this.#folder,
      WAYLAND_DISPLAY: "of-no-computer",
      XDG_CONFIG_HOME: this.path("config"),
      XDG_DATA_HOME: this.path("data"),
      XDG_RUNTIME_DIR: this.path("run"),
      VEGA_TEST_HOOKS: this.path("test-hooks"),
    };
  }

  /** A desk at which it is ten in the morning, whatever the time is: around 03:30 nobody may sign in. */
  static async at(/** @type {Simulator} */ simulator) {
    const desk = new Desk(simulator, await simulator.account(), await freePort());
    await desk.setTime("10:00:00");
    return desk;
  }

  /** Moves the clock on to this time of day in India. */
  async setTime(/** @type {string} */ time) {
    const today = new Date(this.now() + IST_AHEAD_MS).toISOString().slice(0, 10);
    const at = Date.parse(`${today}T${time}+05:30`);
    const next = at > this.now() ? at : at + A_DAY_MS;
    await this.moveClock(Math.ceil((next - Date.now()) / 1000));
  }

  /** Lets the server speak TLS from its next start on, with a certificate for `localhost`. Returns it: it is its own authority. */
  useTls() {
    this.url = this.url.replace("http://127.0.0.1", "https://localhost");
    const { certificate, key } = selfSigned(this.#folder, "server");
    this.#environment.VEGA__SERVER__TLS_CERT = certificate;
    this.#environment.VEGA__SERVER__TLS_KEY = key;
    this.#environment.VEGA__SERVER__PUBLIC_URL = this.url;
    return certificate;
  }

  /** A path in its folder. */
  path(/** @type {string} */ name) {
    return path.join(this.#folder, name);
  }

  /** Where the server listens for programs of this machine. */
  get socket() {
    return this.path("run/vega/vega.sock");
  }

  get runtimeDir() {
    return this.path("run");
  }

  /** What the server said since its last start. */
  get log() {
    return this.#server?.stderr ?? "";
  }

  /** The wall clock of the desk and of its Upstox. */
  now = () => Date.now() + this.#clockOffset * 1000;

  /** Moves the clock of the desk and of its Upstox this far from this machine's; programs that run see it at once. */
  async moveClock(/** @type {number} */ seconds) {
    this.#clockOffset = seconds;
    const next = this.path("test-hooks/clock_offset.next");
    writeFileSync(next, String(seconds));
    renameSync(next, this.path("test-hooks/clock_offset"));
    await this.#simulator.moveClock(seconds);
  }

  async startServer() {
    const server = new Running(programPath("vega-server-hooked"), [], {
      cwd: this.#folder,
      env: this.#environment,
    });
    this.#server = server;
    await until("the server listens", () => server.stderr.includes("listening on "));
  }

  async stopServer(/** @type {NodeJS.Signals} */ signal = "SIGTERM") {
    await this.#server?.stop(signal);
    this.#server = undefined;
  }

  /** Runs `vega` to its end; fails when it does. */
  async vega(/** @type {string[]} */ ...args) {
    return this.vegaGiven(undefined, ...args);
  }

  /** The same with this text piped in. */
  async vegaGiven(/** @type {string | undefined} */ given, /** @type {string[]} */ ...args) {
    const vega = new Running(programPath("vega-hooked"), args, {
      cwd: this.#folder,
      env: this.#environment,
      ...(given !== undefined && { given }),
    });
    const code = await vega.ended;
    if (code !== 0) {
      throw new Error(`vega ${args.join(" ")} ended with ${code}: ${vega.stderr}`);
    }
    return vega.stdout.trim();
  }

  /** Gets the API a new token, also where it has one. */
  async signIn(/** @type {string} */ api) {
    await this.vega("--yes", "--force", "--reason", "test", api);
  }

  /**
   * Makes an access key. Returns the file that holds it.
   *
   * @param {string} name
   * @param {string} scopes
   */
  async addKey(name, scopes) {
    const key = await this.vega("key", "add", name, "--scope", scopes);
    const file = this.path(`${name}.key`);
    writeFileSync(file, `${key}\n`, { mode: 0o600 });
    return { file, key };
  }

  /** Ends its server and takes its folder away. */
  async clear() {
    await this.stopServer();
    rmSync(this.#folder, { recursive: true, force: true });
  }

  /** Vega takes this browser for one with a window. A sandbox is not possible for root. */
  #windowThatNobodySees() {
    const script = this.path("chromium-without-a-window");
    const sandbox = process.getuid?.() === 0 ? " --no-sandbox" : "";
    writeFileSync(script, `#!/bin/sh\nexec chromium --headless=new${sandbox} "$@"\n`, {
      mode: 0o700,
    });
    return script;
  }
}

/** A port of this machine that was free just now. */
export async function freePort() {
  const server = createServer();
  await new Promise((resolve) => server.listen(0, "127.0.0.1", () => resolve(undefined)));
  const { port } = /** @type {import("node:net").AddressInfo} */ (server.address());
  await new Promise((resolve) => server.close(resolve));
  return port;
}
