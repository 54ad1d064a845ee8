// The streamers with upstox-js-sdk as it is, at the simulator's feeds over TLS by the names that are fixed in its code: through a new
// token, a broken network, 03:30 and a token that Upstox takes back. The simulator tells which token each connection lives on.
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { after, before, test } from "node:test";
import { isDeepStrictEqual } from "node:util";
import sdk from "upstox-js-sdk";
import { Server } from "../../src/index.js";
import { MarketDataStreamerV3, PortfolioDataStreamer } from "../../src/upstox.js";
import { REAL_WORLD } from "../../src/world.js";
import { Desk } from "../../testing/desk.js";
import { until } from "../../testing/programs.js";
import { Simulator } from "../../testing/simulator.js";
import { generationOf, untilGeneration } from "../../testing/stage.js";

/** @import { TokenSource } from "../../src/index.js" */

const NIFTY = "NSE_INDEX|Nifty 50";
const RELIANCE = "NSE_EQ|INE002A01018";
const TCS = "NSE_EQ|INE467B01029";

/** @type {Simulator} */
let upstox;
/** @type {Desk} */
let desk;
/** @type {Server} */
let server;
/** @type {TokenSource} */
let source;
/** @type {MarketDataStreamerV3} */
let market;
/** @type {PortfolioDataStreamer} */
let portfolio;
/** The instruments of each frame, and each order's tag. */
const heard = { ticks: /** @type {string[]} */ ([]), orders: /** @type {string[]} */ ([]) };

before(async () => {
  upstox = Simulator.ofThisNamespace();
  await upstox.control("PUT", "feeds/settings", { interval_ms: 50, market_data_limit: 5 });
  desk = await Desk.at(upstox);
  // From here to half past eight of the next morning the server does not ask Upstox by itself.
  await desk.setTime("17:10:00");
  await desk.startServer();
  server = new Server({ socket: desk.socket }, { ...REAL_WORLD, now: desk.now });
  source = server.tokens("PRIMARY");
  market = new MarketDataStreamerV3(sdk, source, [NIFTY], "ltpc");
  portfolio = new PortfolioDataStreamer(sdk, source, true, true);
  market.on("message", (message) => {
    const { feeds = {} } = JSON.parse(String(message));
    heard.ticks.push(sorted(Object.keys(feeds)));
  });
  portfolio.on("message", (message) => heard.orders.push(JSON.parse(String(message)).tag));
});

after(async () => {
  market?.disconnect();
  portfolio?.disconnect();
  server?.close();
  await desk?.clear();
});

const sorted = (/** @type {string[]} */ words) => words.sort((a, b) => a.localeCompare(b)).join();

/** @returns {Promise<any[]>} */
async function connections() {
  return (await upstox.control("GET", "feeds")).connections;
}

/** Until there are these two connections, both on the token of this generation, and nothing else. */
async function untilAllLiveOn(/** @type {number} */ generation) {
  await untilGeneration(source, generation, 60_000);
  const fingerprint = createHash("sha256").update(source.now().value).digest("hex").slice(0, 16);
  await until(`both feeds live on generation ${generation} alone`, async () => {
    const all = await connections();
    return (
      sorted(all.map(({ feed }) => feed)) === "market_data,portfolio" &&
      all.every(({ token }) => token.newest && token.fingerprint === fingerprint)
    );
  });
}

async function untilSubscribedTo(/** @type {Record<string, string>} */ modes) {
  await until(`it is subscribed to ${JSON.stringify(modes)}`, async () => {
    const open = (await connections()).find(({ feed }) => feed === "market_data");
    return isDeepStrictEqual(open?.subscriptions, modes);
  });
}

async function untilTicksOf(/** @type {string[]} */ keys) {
  const before = heard.ticks.length;
  const wanted = sorted(keys);
  await until(`ticks of ${wanted}`, () => heard.ticks.slice(before).includes(wanted));
}

/** An update of an order comes, and once. */
async function untilToldOf(/** @type {string} */ tag) {
  const [open] = (await connections()).filter(({ feed }) => feed === "portfolio");
  assert.deepEqual(open?.update_types, ["order", "position"]);
  const { sent_to } = await upstox.control("POST", "feeds/order_updates", { fields: { tag } });
  assert.equal(sent_to, 1);
  await until(`the order ${tag} is told`, () => heard.orders.includes(tag));
  assert.equal(heard.orders.filter((told) => told === tag).length, 1);
}

test("before there is a token they wait, and connect with the first one", async () => {
  market.subscribe([RELIANCE], "full");
  market.connect();
  portfolio.connect();
  await until("the server has said that there is none", () => generationOf(source) === null);
  assert.deepEqual(await connections(), []);
  await desk.signIn("PRIMARY");
  await untilAllLiveOn(1);
  await untilSubscribedTo({ [NIFTY]: "ltpc", [RELIANCE]: "full" });
  await untilTicksOf([NIFTY, RELIANCE]);
  await untilToldOf("first");
});

test("a new token: both connect with it, and what was subscribed is subscribed again", async () => {
  market.changeMode([NIFTY], "full");
  await untilSubscribedTo({ [NIFTY]: "full", [RELIANCE]: "full" });
  await desk.signIn("PRIMARY");
  await untilAllLiveOn(2);
  await untilSubscribedTo({ [NIFTY]: "full", [RELIANCE]: "full" });
  await untilTicksOf([NIFTY, RELIANCE]);
  await untilToldOf("second");
  market.unsubscribe([RELIANCE]);
  market.subscribe([TCS], "option_greeks");
  await untilSubscribedTo({ [NIFTY]: "full", [TCS]: "option_greeks" });
});

test("a network that breaks: the same token, and the same subscriptions", async () => {
  const ids = (await connections()).map(({ id }) => id);
  assert.deepEqual(await upstox.control("POST", "feeds/cut"), { cut: 2 });
  await until("both are new", async () => {
    const all = await connections();
    return all.length === 2 && all.every(({ id }) => !ids.includes(id));
  });
  await untilAllLiveOn(2);
  await untilSubscribedTo({ [NIFTY]: "full", [TCS]: "option_greeks" });
});

test("over 03:30: none lives on yesterday's token, and none asks with it", async () => {
  await upstox.control("POST", "counters/reset");
  await desk.setTime("03:30:02");
  await until("none is there", async () => (await connections()).length === 0);
  await untilGeneration(source, null, 60_000);
  await desk.setTime("08:00:00");
  await desk.signIn("PRIMARY");
  await untilAllLiveOn(3);
  await untilSubscribedTo({ [NIFTY]: "full", [TCS]: "option_greeks" });
  await untilTicksOf([NIFTY, TCS]);
  await untilToldOf("third");
  const { feeds_refused } = await upstox.control("GET", "counters");
  assert.equal(feeds_refused, 0, "no connection was asked for with the dead token");
});

test("a token that Upstox takes back: it is reported by itself, and sent no more until there is a new one", async () => {
  // A token of the last minute would be asked about for 20 seconds.
  await desk.moveClock(Math.ceil((desk.now() - Date.now()) / 1000) + 120);
  await upstox.control("POST", "counters/reset");
  await upstox.control("POST", "apps/PRIMARY/revoke_token", {});
  await untilGeneration(source, null, 60_000);
  const { feeds_refused } = await upstox.control("GET", "counters");
  assert.ok(feeds_refused >= 1 && feeds_refused <= 2, `each asked once at most: ${feeds_refused}`);
  assert.deepEqual(await connections(), []);
  const audit = await desk.vega("audit", "--api", "PRIMARY", "--json");
  assert.ok(audit.includes('"token_reported"'), "it is a report that tells");
  await desk.signIn("PRIMARY");
  await untilAllLiveOn(4);
  await untilSubscribedTo({ [NIFTY]: "full", [TCS]: "option_greeks" });
  await untilToldOf("fourth");
  assert.equal((await upstox.control("GET", "counters")).feeds_refused, feeds_refused);
});
