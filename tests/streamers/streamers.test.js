// Upstox's own SDK for Node, as it is: its streamers connect to the name that is fixed in their code. To be run by `with-upstox`,
// which leads that name to a simulator: `npm test`.
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { afterEach, beforeEach, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import upstox from "upstox-js-sdk";

const NIFTY = "NSE_INDEX|Nifty 50";
const RELIANCE = "NSE_EQ|INE002A01018";
const WITHIN_MS = 20_000;

/** What the simulator's switchboard answers. */
async function control(method, path, body) {
  const answer = await fetch(`${process.env.UPSTOX_SIMULATOR}/_sim/${path}`, {
    method,
    headers: { "content-type": "application/json" },
    body: body === undefined ? undefined : JSON.stringify(body),
  });
  const text = await answer.text();
  assert.ok(answer.ok, `${method} ${path}: ${answer.status} ${text}`);
  return text === "" ? undefined : JSON.parse(text);
}

async function newToken(app) {
  return (await control("POST", `apps/${app}/generate_token`, {})).access_token;
}

async function connections() {
  return (await control("GET", "feeds")).connections;
}

async function until(what, holds) {
  const deadline = performance.now() + WITHIN_MS;
  for (;;) {
    const found = await holds();
    if (found) {
      return found;
    }
    assert.ok(performance.now() < deadline, `${what}: not within ${WITHIN_MS} ms`);
    await sleep(20);
  }
}

/** The SDK knows one token for the whole process; a streamer reads it when it connects. */
function use(token) {
  upstox.ApiClient.instance.authentications.OAUTH2.accessToken = token;
}

/** The streamers of a test, with what they said. */
const heard = [];

async function connect(streamer) {
  const events = [];
  for (const event of ["open", "message", "error", "close", "reconnecting"]) {
    streamer.on(event, (what) => events.push({ event, what }));
  }
  heard.push(streamer);
  await streamer.connect();
  return events;
}

/** What the next event of this kind that is so brought with it; it and those before it are taken off the list. */
async function next(events, wanted, isSo = () => true) {
  let at = -1;
  await until(`${wanted}, but ${JSON.stringify(events.slice(0, 5))}`, () => {
    at = events.findIndex(({ event, what }) => event === wanted && isSo(what));
    return at >= 0;
  });
  return events.splice(0, at + 1)[at].what;
}

/** A frame of market data as the SDK hands it on. */
function frame(message) {
  return JSON.parse(message.toString());
}

async function moveClock(to) {
  await control("PUT", "clock", { offset_seconds: Math.round((to - Date.now()) / 1000) });
}

beforeEach(async () => {
  // Half past eleven in India, so that no token dies meanwhile.
  await moveClock(new Date().setUTCHours(6, 0, 0, 0));
  await control("PUT", "feeds/settings", { interval_ms: 50, market_data_limit: 5 });
  await control("POST", "counters/reset");
});

afterEach(async () => {
  for (const streamer of heard.splice(0)) {
    streamer.autoReconnect(false);
  }
  await control("POST", "feeds/cut");
});

test("ticks of what is subscribed", async () => {
  use(await newToken("PRIMARY"));
  const streamer = new upstox.MarketDataStreamerV3([NIFTY], "ltpc");
  const events = await connect(streamer);
  const prices = new Set();
  for (let count = 0; count < 3; count += 1) {
    const tick = frame(await next(events, "message", (message) => NIFTY in (frame(message).feeds ?? {})));
    prices.add(tick.feeds[NIFTY].ltpc.ltp);
  }
  assert.ok(prices.size >= 2, [...prices].join());

  streamer.subscribe([RELIANCE], "full");
  const both = (message) => Object.keys(frame(message).feeds ?? {}).length === 2;
  const { feeds } = frame(await next(events, "message", both));
  assert.equal(feeds[RELIANCE].fullFeed.marketFF.marketLevel.bidAskQuote.length, 5);

  streamer.unsubscribe([NIFTY]);
  const reliance = (message) => Object.keys(frame(message).feeds ?? {}).join() === RELIANCE;
  await next(events, "message", reliance);
  const [open] = await connections();
  assert.deepEqual(open.subscriptions, { [RELIANCE]: "full" });
});

test("an order update", async () => {
  use(await newToken("PRIMARY"));
  const events = await connect(new upstox.PortfolioDataStreamer(true, true));
  await next(events, "open");
  const [open] = await connections();
  assert.deepEqual(open.update_types, ["order", "position"]);
  const sent = await control("POST", "feeds/order_updates", { fields: { tag: "strategy-a" } });
  assert.equal(sent.sent_to, 1);
  const update = JSON.parse((await next(events, "message")).toString());
  assert.deepEqual(update, sent.update);
});

test("a connection outlives the replacement of its token, is known by it and ends with it", async () => {
  const old = await newToken("PRIMARY");
  use(old);
  const events = await connect(new upstox.MarketDataStreamerV3([NIFTY], "ltpc"));
  await next(events, "message");
  await newToken("PRIMARY");
  const [before] = await connections();
  assert.equal(before.token.newest, false);
  assert.equal(before.token.fingerprint, createHash("sha256").update(old).digest("hex").slice(0, 16));
  await until("more ticks", async () => (await connections())[0].ticks_sent > before.ticks_sent + 3);

  const refused = await connect(new upstox.MarketDataStreamerV3([NIFTY], "ltpc"));
  await next(refused, "error", (error) => String(error).includes("401"));

  await control("POST", "apps/PRIMARY/revoke_token", {});
  await until("no connection", async () => (await connections()).length === 0);
  const counters = await control("GET", "counters");
  assert.equal(counters.feeds_opened, 1);
  assert.equal(counters.feeds_ended_by_token, 1);
});

test("calls of the SDK reach the simulator by the same name", async () => {
  use(await newToken("PRIMARY"));
  assert.equal(upstox.ApiClient.instance.basePath, "https://api.upstox.com");
  const profile = await new Promise((resolve, reject) => {
    new upstox.UserApi().getProfile("2.0", (error, data) => (error ? reject(error) : resolve(data)));
  });
  assert.equal(profile.data.userId ?? profile.data.user_id, "AB1234");
});
