// What a program gets from a source before and with the first answer of its server.
import assert from "node:assert/strict";
import { test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { NoToken, NotAllowed, Unreachable, VegaError } from "../../src/index.js";
import { until } from "../../testing/programs.js";
import { canary, problem } from "../../testing/scripted-server.js";
import { stageOfEachTest } from "../../testing/stage.js";

const stage = stageOfEachTest();

test("the first call waits for the first answer, all others read from memory", async () => {
  const source = stage.server.tokens("PRIMARY");
  assert.throws(() => source.now(), Unreachable);
  const token = await source.current();
  assert.equal(token.value, canary(1));
  assert.equal(token.generation, 1);
  assert.equal(token.validUntil.getTime(), stage.vega.validUntilUnix * 1000);
  for (let calls = 0; calls < 1000; calls += 1) {
    await source.current();
  }
  assert.equal(source.now().value, canary(1));
  assert.equal(stage.vega.count("token"), 1);
  assert.equal(stage.vega.requests[0]?.headers["x-vega-consumer"], "unit-test");
  assert.equal(stage.vega.requests[0]?.headers.host, "localhost");
  assert.equal(stage.vega.requests[0]?.headers.authorization, undefined);
});

test("a thousand callers before the first token are one request", async () => {
  const sources = Array.from({ length: 1000 }, () => stage.server.tokens("PRIMARY"));
  const tokens = await Promise.all(sources.map((source) => source.current()));
  assert.equal(new Set(tokens.map((token) => token.value)).size, 1);
  assert.equal(stage.vega.count("events"), 1);
  assert.equal(stage.vega.count("token"), 1);
});

test("a program that starts before its server gets the token when the server is there", async () => {
  await stage.vega.stop();
  const current = stage.server.tokens("PRIMARY").current({ timeoutMs: 60_000 });
  await sleep(100);
  await stage.vega.listen();
  assert.equal((await current).generation, 1);
});

test("without a server the first call ends at its timeout, with the cause and the way out", async () => {
  await stage.vega.stop();
  const began = performance.now();
  await assert.rejects(stage.server.tokens("PRIMARY").current({ timeoutMs: 200 }), (error) => {
    assert.ok(error instanceof Unreachable);
    assert.match(error.message, /no socket at .*vega\.sock\. Start vega-server/);
    return true;
  });
  assert.ok(performance.now() - began < 5_000);
});

test("a server that starts waits no caller out: 503 is no answer yet", async () => {
  stage.vega.events = (_request, response) => problem(response, 503, "starting", "Wait.");
  const source = stage.server.tokens("PRIMARY");
  await assert.rejects(source.current({ timeoutMs: 100 }), {
    name: "Unreachable",
    code: "starting",
  });
  stage.vega.events = (_request, response) => stage.vega.openStream(response);
  assert.equal((await source.current()).generation, 1);
});

test("Retry-After of a server that starts is obeyed", async () => {
  stage.vega.events = (_request, response) =>
    problem(response, 503, "starting", "Wait.", { retryAfter: 1 });
  stage.server.tokens("PRIMARY");
  await sleep(700);
  assert.equal(stage.vega.count("events"), 1);
  await until("it asks again", () => stage.vega.count("events") === 2, 1_500);
});

test("no token: the server's code, its words and its time", async () => {
  stage.vega.generation = null;
  const at = Math.floor(Date.now() / 1000) + 60;
  stage.vega.token = (_request, response) =>
    problem(response, 429, "cooling_down", "The account cools down.", { retryAtUnix: at });
  await assert.rejects(stage.server.tokens("PRIMARY").current(), (error) => {
    assert.ok(error instanceof NoToken);
    assert.equal(error.code, "cooling_down");
    assert.equal(error.message, "A title: The account cools down.");
    assert.equal(error.retryAt?.getTime(), at * 1000);
    return true;
  });
});

test("an API that the server does not know is no token, and is told at once", async () => {
  const unknown = (
    /** @type {unknown} */ _,
    /** @type {import("node:http").ServerResponse} */ to,
  ) => problem(to, 404, "unknown_api", "There are PRIMARY, SECONDARY.");
  stage.vega.events = unknown;
  stage.vega.token = unknown;
  await assert.rejects(stage.server.tokens("PRIMRY").current(), {
    name: "NoToken",
    code: "unknown_api",
    message: /There are PRIMARY/,
  });
});

test("a server without the events says that it is too old", async () => {
  stage.vega.events = (_request, response) => problem(response, 404, "not_found", "");
  await assert.rejects(stage.server.tokens("PRIMARY").current({ timeoutMs: 200 }), {
    name: "Unreachable",
    message: /older than this library needs: update it/,
  });
});

test("a source that was closed is made anew", async () => {
  const first = stage.server.tokens("PRIMARY");
  assert.equal(stage.server.tokens("PRIMARY"), first);
  first.close();
  const second = stage.server.tokens("PRIMARY");
  assert.notEqual(second, first);
  assert.equal((await second.current()).generation, 1);
});

test("lengths that are none are refused", async () => {
  const source = stage.server.tokens("PRIMARY");
  for (const wrong of [-1, Number.NaN, "30m"]) {
    const minValidMs = /** @type {any} */ (wrong);
    await assert.rejects(source.current({ minValidMs }), TypeError);
    await assert.rejects(source.current({ timeoutMs: minValidMs }), TypeError);
  }
  await assert.rejects(source.current({ minValidMs: 2 * 86_400_000 }), NoToken);
});

test("every error is a VegaError", () => {
  for (const Kind of [NoToken, Unreachable, NotAllowed]) {
    const error = new Kind("words", "code");
    assert.ok(error instanceof VegaError);
    assert.equal(error.name, Kind.name);
    assert.equal(String(error), `${Kind.name}: words`);
  }
});
