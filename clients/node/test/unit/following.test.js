// How a source follows its server: new tokens, tokens taken back, servers that go and come.
import assert from "node:assert/strict";
import { test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { NotAllowed } from "../../src/index.js";
import { until } from "../../testing/programs.js";
import { problem } from "../../testing/scripted-server.js";
import { stageOfEachTest, untilGeneration } from "../../testing/stage.js";

const stage = stageOfEachTest();

test("a new token comes by itself, the old one is served until it is there", async () => {
  const source = stage.server.tokens("PRIMARY");
  await source.current();
  let asked = false;
  /** @type {() => void} */
  let release = () => {};
  const released = new Promise((resolve) => {
    release = () => resolve(undefined);
  });
  stage.vega.token = async (request, response) => {
    asked = true;
    await released;
    stage.vega.serveToken(request, response);
  };
  stage.vega.serve(2);
  await until("the new one is asked for", () => asked);
  assert.equal(source.now().generation, 1);
  release();
  await untilGeneration(source, 2);
});

test("a token that is taken back is gone with the event, also while its answer is on the way", async () => {
  const source = stage.server.tokens("PRIMARY");
  /** @type {(number | null)[]} */
  const told = [];
  const reader = (async () => {
    for await (const change of source.changes()) {
      told.push(change);
    }
  })();
  await source.current();
  /** @type {() => void} */
  let answerLate = () => {};
  stage.vega.token = (request, response) => {
    answerLate = () => {
      stage.vega.generation = 2;
      stage.vega.serveToken(request, response);
    };
    stage.vega.token = (_late, to) => problem(to, 409, "human_needed", "Sign in.");
  };
  stage.vega.serve(2);
  await until("the token is asked for", () => stage.vega.count("token") === 2);
  stage.vega.serve(null);
  await untilGeneration(source, null, 500);
  answerLate();
  await until("it is asked why", () => stage.vega.count("token") === 3);
  await until("the words are there", () => {
    assert.throws(() => source.now(), { name: "NoToken", message: /Sign in\./ });
    return true;
  });
  source.close();
  await reader;
  assert.deepEqual(told, [1, null]);
});

test("an older generation never follows a newer one", async () => {
  stage.vega.generation = 5;
  const source = stage.server.tokens("PRIMARY");
  await source.current();
  stage.vega.serve(4);
  await until("it is asked for", () => stage.vega.count("token") === 2);
  await sleep(50);
  assert.equal(source.now().generation, 5);
  stage.vega.serve(null);
  await untilGeneration(source, null);
  stage.vega.serve(4);
  await until("it is refused", () => {
    assert.throws(() => source.now(), { code: "older_generation" });
    return true;
  });
  stage.vega.serve(6);
  await untilGeneration(source, 6);
});

test("while the server is away the token is served until it dies, and then the cause is told", async () => {
  const source = stage.server.tokens("PRIMARY");
  await source.current();
  await stage.vega.stop();
  await sleep(100);
  assert.equal(source.now().generation, 1);
  stage.world.offsetMs = 25 * 3_600_000;
  assert.throws(() => source.now(), { name: "Unreachable", message: /expired at .* no socket/ });
});

for (const [how, cut] of /** @type {[string, () => void][]} */ ([
  ["in order", () => stage.vega.endStreams()],
  ["by a cut", () => stage.vega.cutStreams()],
  [
    "in the middle of an event",
    () => {
      stage.vega.say("event: token\ndata: {");
      stage.vega.cutStreams();
    },
  ],
])) {
  test(`after a stream that ends ${how} the token is asked for anew`, async () => {
    const source = stage.server.tokens("PRIMARY");
    await source.current();
    await stage.vega.untilFollowed();
    stage.vega.generation = 2;
    cut();
    await untilGeneration(source, 2);
    assert.equal(stage.vega.count("events"), 2);
  });
}

test("a refusal whose body does not end is left", async () => {
  stage.world.limits.idleMs = 1_000;
  stage.vega.events = (_request, response) => {
    response.writeHead(503, { "content-type": "application/problem+json" });
    response.write("{");
  };
  const source = stage.server.tokens("PRIMARY");
  await until("it connects anew", () => stage.vega.count("events") >= 2);
  stage.vega.events = (_request, response) => stage.vega.openStream(response);
  assert.equal((await source.current()).generation, 1);
});

test("what did not change is asked for with its tag", async () => {
  const source = stage.server.tokens("PRIMARY");
  await source.current();
  stage.vega.announce();
  await until("it is asked again", () => stage.vega.count("token") === 2);
  assert.equal(stage.vega.requests.at(-1)?.headers["if-none-match"], '"1-fingerprint"');
  assert.equal(source.now().generation, 1);
});

test("a stream that falls silent is left, one with heartbeats is not", async () => {
  stage.world.limits.idleMs = 2_000;
  const source = stage.server.tokens("PRIMARY");
  await source.current();
  const heartbeats = setInterval(() => stage.vega.say(": alive\n\n"), 100);
  await sleep(3_000);
  assert.equal(stage.vega.count("events"), 1);
  clearInterval(heartbeats);
  await until("it connects anew", () => stage.vega.count("events") === 2);
});

test("a key that is revoked takes the token out of memory at once", async () => {
  const source = stage.server.tokens("PRIMARY");
  await source.current();
  const refuse = (/** @type {unknown} */ _, /** @type {import("node:http").ServerResponse} */ to) =>
    problem(to, 401, "not_signed_in", "The key is not known.");
  stage.vega.events = refuse;
  stage.vega.token = refuse;
  stage.vega.endStreams();
  await untilGeneration(source, null);
  assert.throws(
    () => source.now(),
    (error) => {
      assert.ok(error instanceof NotAllowed);
      assert.match(error.message, /The key is not known\. If the key was revoked .* keyFile/);
      return true;
    },
  );
});
