// A day of a program that trades fifty times a second, at a real server: a token change, restarts, 03:30, the next morning.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { inspect } from "node:util";
import { Server } from "../../src/index.js";
import { REAL_WORLD } from "../../src/world.js";
import { Desk } from "../../testing/desk.js";
import { until } from "../../testing/programs.js";
import { Simulator } from "../../testing/simulator.js";
import { Trader } from "../../testing/trader.js";

/** @type {Simulator} */
let upstox;
/** @type {Desk} */
let desk;

before(async () => {
  upstox = await Simulator.start();
  desk = await Desk.at(upstox);
});

after(async () => {
  await desk?.clear();
  await upstox?.stop();
});

test("no call fails while there is a token, and no dead token is sent twice", async (t) => {
  await desk.startServer();
  await desk.signIn("PRIMARY");
  const { file, key } = await desk.addKey("bot", "token:PRIMARY");
  const world = { ...REAL_WORLD, now: desk.now };
  const byKey = new Server({ url: desk.url, keyFile: file, consumer: "by-key" }, world);
  const bySocket = new Server({ socket: desk.socket, consumer: "by-socket" }, world);
  const sources = [byKey, bySocket].map((server) => server.tokens("PRIMARY"));
  await Promise.all(sources.map((source) => source.current()));
  const traders = sources.map((source) => new Trader(source, upstox, desk.now));
  const assertNoneIsBroken = () =>
    assert.deepEqual(
      traders.map(({ broken }) => broken),
      traders.map(() => []),
      "no promise was broken",
    );
  const untilAllTradeWith = async (/** @type {number} */ generation) => {
    await until(`generation ${generation} is traded with`, () =>
      traders.every(({ good, broken }) => broken.length > 0 || (good[generation] ?? 0) > 25),
    );
    assertNoneIsBroken();
  };
  await untilAllTradeWith(1);

  // A new token: the old one dies at Upstox a moment before the new one is here.
  await desk.moveClock(Math.ceil((desk.now() - Date.now()) / 1000) + 120);
  await desk.signIn("PRIMARY");
  await untilAllTradeWith(2);

  const withoutAtFirst = traders.map((trader) => trader.without);
  for (const how of /** @type {const} */ (["SIGTERM", "SIGKILL"])) {
    await desk.stopServer(how);
    await sleep(300);
    await desk.startServer();
    await sleep(700);
  }
  const calls = traders.map((trader) => trader.calls);
  const withoutBefore = traders.map((trader) => trader.without);
  assert.deepEqual(withoutBefore, withoutAtFirst, "the server's absence is not felt");

  // 03:30, through which they trade; the server is away, so that it is the program's own clock that counts.
  const refusalsBefore = traders.map((trader) => trader.refusals);
  await desk.stopServer();
  await desk.setTime("03:29:52");
  const dies = Math.ceil(desk.now() / 60_000) * 60_000;
  await until("nobody has a token", () =>
    traders.every(({ without }, at) => without > (withoutBefore[at] ?? 0) + 50),
  );
  await until("it is past 03:30", () => desk.now() > dies + 1_000);
  assert.deepEqual(
    traders.map((trader) => trader.refusals),
    refusalsBefore,
    "nothing was sent that died at 03:30",
  );
  assert.ok(traders.every((trader, at) => trader.calls > (calls[at] ?? 0)));

  // The next morning.
  await desk.startServer();
  await desk.setTime("08:00:00");
  await until("they are told what to do", () =>
    traders.every(({ words }) => /Run `vega PRIMARY`/.test(words.at(-1) ?? "")),
  );
  await desk.signIn("PRIMARY");
  await untilAllTradeWith(3);
  await Promise.all(traders.map((trader) => trader.stop()));

  for (const trader of traders) {
    const { calls, refusals, without, good } = trader;
    t.diagnostic(JSON.stringify({ calls, refusals, without, good }));
  }
  assertNoneIsBroken();
  const tokens = await upstox.accessTokens();
  assert.equal(tokens.length, 3);
  const shown = inspect([sources, byKey, traders.map(({ words }) => words)], {
    depth: null,
    showHidden: true,
  });
  for (const secret of [...tokens, key]) {
    assert.ok(!shown.includes(secret), "no secret is shown");
  }
  byKey.close();
  bySocket.close();
});
