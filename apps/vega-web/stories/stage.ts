// The stage of one story: the program `vega-stage` with a simulated Upstox, a desk and the real server, and the
// simulator's switchboard. What a scene can be is told in `tests/stage/scene.rs`.

import { type ChildProcess, spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { resolve } from "node:path";
import { createInterface } from "node:readline";

const ROOT = resolve(import.meta.dirname, "../../..");
/** Where cargo puts what it builds, and the stories their pictures. */
export const TARGET = resolve(ROOT, process.env.CARGO_TARGET_DIR ?? "target");

export interface Scene {
  two_accounts?: boolean;
  settings?: Record<string, string>;
  signed_in?: string[];
  human_at_the_desk?: boolean;
  own_browser?: "by_itself" | "pasted_address";
  test_hooks?: boolean;
}

/** Where everything is, and what the human knows. */
interface Opening {
  address: string;
  upstox: string;
  phone: string;
  mobile: string;
  pin: string;
  redirect_uri: string;
  apis: string[];
}

type Json = Record<string, unknown>;

/** What the simulator saw; its README tells more of them. */
export interface Counters {
  otp_presses: number;
  tokens_issued: number;
  pin_entries: number;
  max_parallel_sign_ins: number;
  max_exchanges_of_one_code: number;
  challenges_ticked: number;
  dialogs_opened: number;
}

export interface Secrets {
  otps: string[];
  states: string[];
  codes: string[];
  access_tokens: string[];
}

export class Stage {
  private constructor(
    private readonly program: ChildProcess,
    private readonly lines: AsyncIterator<string>,
    readonly opening: Opening,
  ) {}

  static async set(scene: Scene): Promise<Stage> {
    const path = resolve(TARGET, "debug/vega-stage");
    if (!existsSync(path)) throw new Error(`${path} is missing: run cargo xtask e2e`);
    const program = spawn(path, [JSON.stringify(scene)], { stdio: ["pipe", "pipe", "inherit"] });
    const lines = createInterface({ input: program.stdout })[Symbol.asyncIterator]();
    const opening = (await nextLine(lines)) as unknown as Opening;
    return new Stage(program, lines, opening);
  }

  /** Ends everything; fails when something did not end as it should. */
  async clear(): Promise<void> {
    const ended = new Promise<number | null>((done) => this.program.once("exit", done));
    this.program.stdin?.end();
    const code = this.program.exitCode ?? (await ended);
    if (code !== 0) throw new Error(`the stage ended with ${code}`);
  }

  /** A new one-time link to the console. */
  async link(): Promise<string> {
    return (await this.ask("link")).link as string;
  }

  stop = () => this.ask("stop");
  kill = () => this.ask("kill");
  start = () => this.ask("start");

  /** Moves every clock but the browser's; needs test hooks. */
  later = (seconds: number) => this.ask(`later ${Math.round(seconds)}`);

  vega = (command: string) => this.ask(`vega ${command}`);

  private async ask(command: string): Promise<Json> {
    this.program.stdin?.write(`${command}\n`);
    const answer = await nextLine(this.lines);
    if (typeof answer.error === "string") throw new Error(`${command}: ${answer.error}`);
    return answer;
  }

  counters = () => this.simulator<Counters>("GET", "counters");

  secrets = () => this.simulator<Secrets>("GET", "secrets");

  /** Lets something happen to everybody, or to this scope; `kind` and `params` are told in the simulator's README. */
  async happens(on: string, kind: string, params: Json = {}, scope: unknown = "all") {
    await this.simulator("POST", "scenarios", { scope, on, kind, params });
  }

  /** The same, once. */
  async happensOnce(on: string, kind: string, params: Json) {
    await this.simulator("POST", "scenarios", { scope: "all", on, kind, params, times: 1 });
  }

  noMoreScenarios = () => this.simulator("DELETE", "scenarios");

  otpLimit = (limit: number) => this.simulator("PUT", "otp_limit", { limit });

  /** Somebody in front of the browser window, or nobody. */
  async human(settings: Json) {
    await this.simulator("PUT", "accounts/default/human", settings);
  }

  revokeTokens = () => this.simulator("POST", "accounts/default/revoke_tokens", {});

  async simulator<Answer>(method: string, path: string, body?: Json): Promise<Answer> {
    const answer = await fetch(`${this.opening.upstox}/_sim/${path}`, {
      method,
      ...(body && {
        headers: { "content-type": "application/json" },
        body: JSON.stringify(body),
      }),
    });
    const text = await answer.text();
    if (!answer.ok) throw new Error(`${path}: ${answer.status} ${text}`);
    return (text === "" ? {} : JSON.parse(text)) as Answer;
  }
}

async function nextLine(lines: AsyncIterator<string>): Promise<Json> {
  const line = await lines.next();
  if (line.done) throw new Error("the stage is gone; what it said stands above");
  return JSON.parse(line.value) as Json;
}
