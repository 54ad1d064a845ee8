// What a real server says to programs: no token, keys, reports.
import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { after, afterEach, before, test } from "node:test";
import { inspect } from "node:util";
import { NoToken, NotAllowed, Server } from "../../src/index.js";
import { REAL_WORLD } from "../../src/world.js";
import { Desk } from "../../testing/desk.js";
import { Running, until } from "../../testing/programs.js";
import { Simulator } from "../../testing/simulator.js";

/** @type {Simulator} */
let upstox;
/** @type {Desk} */
let desk;
/** @type {Server[]} */
const servers = [];

before(async () => {
  upstox = await Simulator.start();
  desk = await Desk.at(upstox);
  await desk.startServer();
});

after(async () => {
  await desk?.clear();
  await upstox?.stop();
});

afterEach(() => {
  for (const server of servers.splice(0)) {
    server.close();
  }
});

/** @param {string} api @param {string} [keyFile] */
function tokens(api, keyFile) {
  const where = keyFile ? { url: desk.url, keyFile } : { socket: desk.socket };
  const server = new Server(where, { ...REAL_WORLD, now: desk.now });
  servers.push(server);
  return server.tokens(api);
}

test("before the first sign-in: that a human must, and the command", async () => {
  await assert.rejects(tokens("PRIMARY").current(), (error) => {
    assert.ok(error instanceof NoToken);
    assert.equal(error.code, "human_needed");
    assert.match(error.message, /A human must sign in: .*Run `vega PRIMARY`/);
    return true;
  });
});

test("an API that is not configured: those that are", async () => {
  await assert.rejects(tokens("NOPE").current(), {
    name: "NoToken",
    code: "unknown_api",
    message: /PRIMARY/,
  });
});

test("keys: without the scope, unknown, and for another API", async () => {
  const { file: status } = await desk.addKey("watcher", "status");
  const { file: other } = await desk.addKey("other", "token:WEBSOCKET1");
  const unknown = desk.path("unknown.key");
  writeFileSync(unknown, "vega_CANARY-that-nobody-made\n", { mode: 0o600 });
  for (const [file, code, words] of /** @type {[string, string, RegExp][]} */ ([
    [status, "not_allowed", /lacks the scope for this: token:PRIMARY/],
    [other, "not_allowed", /lacks the scope for this: token:PRIMARY/],
    [unknown, "not_signed_in", /put a new one into keyFile/],
  ])) {
    await assert.rejects(tokens("PRIMARY", file).current(), (error) => {
      assert.ok(error instanceof NotAllowed, String(error));
      assert.equal(error.code, code);
      assert.match(error.message, words);
      assert.doesNotMatch(inspect(error, { depth: null, showHidden: true }), /CANARY/);
      return true;
    });
  }
});

test("reports: alive, newer, dead; and a key that is revoked", async () => {
  await desk.signIn("PRIMARY");
  const { file, key } = await desk.addKey("bot", "token:PRIMARY");
  const source = tokens("PRIMARY", file);
  const own = tokens("PRIMARY");
  assert.equal((await own.current()).generation, 1);
  const first = await source.current();
  assert.equal(first.generation, 1);
  assert.equal(await upstox.profileStatus(first.value), 200);
  await assert.rejects(source.current({ minValidMs: 24 * 3_600_000 }), {
    name: "NoToken",
    message: /fewer than minValidMs asks for/,
  });
  assert.equal(await source.reportRejected(1), "alive");
  assert.equal(source.now().value, first.value);

  await desk.signIn("PRIMARY");
  assert.equal(await source.reportRejected(1), "newer");
  const second = source.now();
  assert.equal(second.generation, 2);
  assert.equal(await upstox.profileStatus(second.value), 200);
  await assert.rejects(source.reportRejected(9), {
    name: "VegaError",
    code: "unknown_generation",
  });

  // The key first: what is dead cannot show that the key is gone.
  await desk.vega("key", "revoke", "bot");
  await until("the token is gone", () => {
    try {
      source.now();
      return false;
    } catch (error) {
      return error instanceof NotAllowed;
    }
  });
  await assert.rejects(source.current(), { code: "not_signed_in" });
  await assert.rejects(source.reportRejected(2), { name: "NotAllowed" });

  // A token of the last minute would be asked about for 20 seconds.
  await desk.setTime("10:30:00");
  assert.equal(own.now().generation, 2);
  await upstox.revokeTokens();
  assert.equal(await own.reportRejected(2), "dead");
  assert.throws(() => own.now(), { name: "NoToken", code: "human_needed" });

  const shown = inspect([source, own, servers], { depth: null, showHidden: true }) + desk.log;
  for (const secret of [...(await upstox.accessTokens()), key]) {
    assert.ok(!shown.includes(secret), "no secret is shown");
  }
});

test("the trading loop of the examples", async (t) => {
  const loop = new Running(
    process.execPath,
    ["examples/trading-loop.mjs", "PRIMARY", upstox.baseUrl],
    {
      cwd: new URL("../..", import.meta.url),
      env: { ...process.env, XDG_RUNTIME_DIR: desk.runtimeDir },
    },
  );
  t.after(() => loop.stop("SIGKILL"));
  await until("it says why it waits", () => loop.stdout.includes("Run `vega PRIMARY`"));
  await desk.signIn("PRIMARY");
  await until("it trades", () => loop.stdout.includes("generation 3: HTTP 200"));
  await loop.stop();
  assert.equal(loop.stderr, "");
});

test("the example with Upstox's SDK", async (t) => {
  const words = ["examples/upstox-sdk.mjs", "PRIMARY", upstox.baseUrl];
  const program = ["--import", "./testing/no-feed.js", ...words];
  const example = new Running(process.execPath, program, {
    cwd: new URL("../..", import.meta.url),
    env: { ...process.env, XDG_RUNTIME_DIR: desk.runtimeDir },
  });
  t.after(() => example.stop("SIGKILL"));
  const { user_id } = await upstox.account();
  await until("it trades", () => example.stdout.includes(`trading as ${user_id}`));
  await until("the feed is tried", () => example.stderr.includes("the feed: "));
  assert.equal(await example.stop("SIGINT"), 0);
});

test("an analytics token: for who may have it and asks for it", async () => {
  const made = await upstox.analyticsToken();
  await desk.vegaGiven(made, "adopt", "--analytics", "default");
  const world = { ...REAL_WORLD, now: desk.now };
  const { file: reads } = await desk.addKey("charts", "read:PRIMARY");
  const { file: trades } = await desk.addKey("trader", "token:PRIMARY");
  const source = (/** @type {string} */ keyFile) => {
    const server = new Server({ url: desk.url, keyFile }, world);
    servers.push(server);
    return server.tokens("PRIMARY", { kind: "read" });
  };
  const charts = source(reads);
  const token = await charts.current();
  assert.deepEqual([token.generation, token.value], [1, made]);
  assert.equal(await charts.reportRejected(1), "alive");
  await assert.rejects(source(trades).current(), { name: "NotAllowed", message: /read:PRIMARY/ });
  assert.throws(
    () =>
      new Server({ socket: desk.socket }).tokens("PRIMARY", /** @type {any} */ ({ kind: "order" })),
    /kind is trade or read/,
  );
});

test("over TLS, with the authority that is named", async () => {
  const { file } = await desk.addKey("elsewhere", "token:PRIMARY");
  await desk.stopServer();
  const ca = desk.useTls();
  await desk.startServer();
  const world = { ...REAL_WORLD, now: desk.now };
  for (const [options, rejects] of /** @type {const} */ ([
    [{ ca }, null],
    [{}, { name: "Unreachable", code: "tls" }],
  ])) {
    const server = new Server({ url: desk.url, keyFile: file, ...options }, world);
    servers.push(server);
    const current = server.tokens("PRIMARY").current({ timeoutMs: 2_000 });
    await (rejects ? assert.rejects(current, rejects) : current);
  }
});
