// The SDK's requests and streamers on the newest token: the real upstox-js-sdk and ws, a scripted server, and a feed of this process.
import assert from "node:assert/strict";
import { afterEach, beforeEach, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { inspect } from "node:util";
import sdk from "upstox-js-sdk";
import { NoToken } from "../../src/index.js";
import { authenticate, MarketDataStreamerV3, PortfolioDataStreamer } from "../../src/upstox.js";
import { Feed } from "../../testing/feed.js";
import { until } from "../../testing/programs.js";
import { canary, json } from "../../testing/scripted-server.js";
import { stageOfEachTest, untilGeneration } from "../../testing/stage.js";

const stage = stageOfEachTest();
/** @type {Feed} */
let feed;
/** @type {(MarketDataStreamerV3 | PortfolioDataStreamer)[]} */
const streamers = [];

beforeEach(async () => {
  feed = new Feed();
  await feed.start();
});

afterEach(async () => {
  for (const streamer of streamers.splice(0)) {
    streamer.disconnect();
  }
  await feed.stop();
});

function marketData(/** @type {string[]} */ keys = [], mode = "ltpc") {
  const streamer = new MarketDataStreamerV3(sdk, stage.server.tokens("PRIMARY"), keys, mode);
  streamers.push(streamer);
  return streamer;
}

function portfolio(/** @type {boolean[]} */ ...updates) {
  const streamer = new PortfolioDataStreamer(sdk, stage.server.tokens("PRIMARY"), ...updates);
  streamers.push(streamer);
  return streamer;
}

/** Mode → instruments, as the newest connection asked for. */
function subscribed() {
  /** @type {Record<string, string>} */
  const modes = {};
  for (const { method, data } of feed.connections.at(-1)?.requests ?? []) {
    for (const key of data.instrumentKeys) {
      if (method === "unsub") {
        delete modes[key];
      } else {
        modes[key] = data.mode;
      }
    }
  }
  return modes;
}

const untilOpen = (/** @type {number} */ connections) =>
  until(
    `connection ${connections}`,
    () => feed.connections.length === connections && feed.open.length === 1,
  );

test("each request of the SDK carries the newest token, and none goes out without", async () => {
  const client = new sdk.ApiClient();
  const source = stage.server.tokens("PRIMARY");
  authenticate(client, source);
  const sent = () => {
    /** @type {unknown[]} */
    const headers = [];
    const request = { set: (/** @type {unknown} */ header) => headers.push(header) };
    client.applyAuthToRequest(request, ["OAUTH2"]);
    return headers;
  };
  await source.current();
  assert.deepEqual(sent(), [{ Authorization: `Bearer ${canary(1)}` }]);
  stage.vega.serve(2);
  await untilGeneration(source, 2);
  assert.deepEqual(sent(), [{ Authorization: `Bearer ${canary(2)}` }]);
  const shown =
    inspect(client, { depth: null, showHidden: true, getters: true }) +
    JSON.stringify(client.authentications);
  assert.doesNotMatch(shown, /CANARY/);
  stage.vega.serve(null);
  await untilGeneration(source, null);
  assert.throws(sent, NoToken);
});

test("market data: a new generation is a new connection with the same subscriptions and listeners", async () => {
  const streamer = marketData(["A", "B"], "full");
  /** @type {string[]} */
  const events = [];
  for (const event of /** @type {const} */ (["open", "close"])) {
    streamer.on(event, () => events.push(event));
  }
  let messages = 0;
  streamer.on("message", () => {
    messages += 1;
  });
  streamer.connect();
  await untilOpen(1);
  await until("it subscribed", () => subscribed().B === "full");
  assert.equal(feed.connections[0]?.authorization, `Bearer ${canary(1)}`);
  streamer.subscribe(["C"], "ltpc");
  streamer.changeMode(["A"], "option_greeks");
  streamer.unsubscribe(["B"]);
  await until("it asked for that", () => Object.keys(subscribed()).join() === "A,C");

  stage.vega.serve(2);
  await untilOpen(2);
  assert.equal(feed.connections[1]?.authorization, `Bearer ${canary(2)}`);
  await until("it subscribed again", () => Object.keys(subscribed()).length === 2);
  assert.deepEqual(subscribed(), { A: "option_greeks", C: "ltpc" });
  assert.deepEqual(events, ["open", "close", "open"]);
  feed.connections[1]?.socket.send(Buffer.alloc(0));
  await until("the listener hears it", () => messages === 1);
});

test("market data: what is subscribed to before there is a connection is asked for on it", async () => {
  stage.vega.generation = null;
  const streamer = marketData();
  streamer.subscribe(["A"], "ltpc");
  streamer.connect();
  streamer.subscribe(["B"], "full_d30");
  await sleep(50);
  assert.equal(feed.handshakes, 0, "nothing is sent without a token");
  stage.vega.serve(1);
  await untilOpen(1);
  await until("both", () => Object.keys(subscribed()).length === 2);
  assert.deepEqual(subscribed(), { A: "ltpc", B: "full_d30" });
  assert.throws(
    () => streamer.subscribe(["A"], "everything"),
    /ltpc, full, option_greeks, full_d30/,
  );
});

test("portfolio: its switches, its messages, and no connection without a token", async () => {
  const streamer = portfolio(true, true, false, true);
  /** @type {string[]} */
  const messages = [];
  streamer.on("message", (message) => messages.push(String(message)));
  streamer.connect();
  await untilOpen(1);
  assert.match(
    feed.connections[0]?.path ?? "",
    /portfolio-stream-feed\?update_types=order%2Cposition%2Cgtt_order$/,
  );
  feed.connections[0]?.socket.send('{"order":1}');
  await until("it is heard", () => messages.length === 1);
  stage.vega.serve(null);
  await until("it is closed", () => feed.open.length === 0);
  stage.vega.serve(2);
  await untilOpen(2);
  feed.connections[1]?.socket.send('{"order":2}');
  await until("it is heard", () => messages.length === 2);
  assert.deepEqual(messages, ['{"order":1}', '{"order":2}']);
});

test("a connection that breaks is made again, as often as it takes", async () => {
  const streamer = marketData(["A"]);
  const told = { reconnecting: 0 };
  streamer.on("reconnecting", () => {
    told.reconnecting += 1;
  });
  streamer.connect();
  for (let connections = 1; connections <= 2; connections += 1) {
    await untilOpen(connections);
    await until("it subscribed", () => subscribed().A === "ltpc");
    feed.open[0]?.socket.terminate();
  }
  await untilOpen(3);
  assert.equal(told.reconnecting, 2);
  feed.status = 503;
  feed.open[0]?.socket.terminate();
  const before = feed.handshakes;
  await until("it goes on", () => feed.handshakes >= before + 2);
  feed.status = 101;
  await until("it is back", () => feed.open.length === 1);
});

test("a handshake that Upstox refuses with 401 is reported, and a dead token is not sent again", async () => {
  stage.vega.rejections = (_request, response) => json(response, 200, { answer: "dead" });
  feed.status = 401;
  const streamer = portfolio();
  /** @type {unknown[]} */
  const errors = [];
  streamer.on("error", (error) => errors.push(error));
  streamer.connect();
  await until("it is reported", () => stage.vega.count("rejections") === 1);
  await sleep(500);
  assert.equal(feed.handshakes, 1);
  assert.match(String(errors), /401/);
  feed.status = 101;
  stage.vega.serve(2);
  await untilOpen(1);
  assert.equal(feed.connections[0]?.authorization, `Bearer ${canary(2)}`);
});

/** What is under way when a streamer is told to end may still arrive; after that nothing does. */
async function untilNothingConnects() {
  let { handshakes } = feed;
  let since = performance.now();
  await until("nothing connects any more", () => {
    if (feed.handshakes !== handshakes) {
      handshakes = feed.handshakes;
      since = performance.now();
    }
    return performance.now() - since > 1_000;
  });
}

test("without a listener an error ends nothing, and a connection under way can be ended", async (t) => {
  // The next attempt comes within 100 ms, and is not to be missed.
  t.mock.method(Math, "random", () => 0.02);
  feed.status = 500;
  const failing = portfolio();
  failing.connect();
  await until("it tried", () => feed.handshakes >= 2);
  failing.disconnect();
  const early = marketData();
  early.connect();
  await stage.server.tokens("PRIMARY").current();
  early.disconnect();
  await untilNothingConnects();
  assert.equal(feed.open.length, 0);
});

test("streamers leave the program's own ApiClient alone, and take the token of their own source", async () => {
  const own = new sdk.ApiClient();
  authenticate(own, stage.server.tokens("SECONDARY"));
  marketData().connect();
  await untilOpen(1);
  assert.equal(sdk.ApiClient.instance, own);
  assert.equal(feed.connections[0]?.authorization, `Bearer ${canary(1)}`);
});

test("disconnect and connect again; and the end of the source is the end of the connection", async () => {
  const streamer = marketData(["A"]);
  streamer.connect();
  streamer.connect();
  await untilOpen(1);
  streamer.disconnect();
  await until("it is closed", () => feed.open.length === 0);
  streamer.connect();
  await untilOpen(2);
  await until("it subscribed", () => subscribed().A === "ltpc");
  stage.server.close();
  await until("it is closed", () => feed.open.length === 0);
});
