// Reports of tokens that Upstox refuses.
import assert from "node:assert/strict";
import { test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { NoToken, Unreachable } from "../../src/index.js";
import { until } from "../../testing/programs.js";
import { json, problem } from "../../testing/scripted-server.js";
import { stageOfEachTest, untilGeneration } from "../../testing/stage.js";

const stage = stageOfEachTest();

test("a report: alive changes nothing, unknown words are unknown", async () => {
  const source = stage.server.tokens("PRIMARY");
  await source.current();
  assert.equal(await source.reportRejected(1), "alive");
  stage.vega.rejections = (_request, response) => json(response, 200, { answer: "perhaps" });
  assert.equal(await source.reportRejected(1), "unknown");
  assert.equal(source.now().generation, 1);
});

test("a report: dead is given to nobody from then on, though the server offers it again", async () => {
  const source = stage.server.tokens("PRIMARY");
  await source.current();
  stage.vega.rejections = (_request, response, body) => {
    assert.deepEqual(JSON.parse(body), { generation: 1 });
    json(response, 200, { answer: "dead" });
  };
  assert.equal(await source.reportRejected(1), "dead");
  assert.throws(() => source.now(), { name: "NoToken", message: /Upstox refuses/ });
  stage.vega.announce();
  await until("it is offered again", () => stage.vega.count("token") === 2);
  await sleep(50);
  assert.throws(() => source.now(), NoToken);
  stage.vega.serve(2);
  await untilGeneration(source, 2);
});

test("a report: when newer is returned the newer token is there", async () => {
  const source = stage.server.tokens("PRIMARY");
  await source.current();
  // The server knows it, and its event is not here yet.
  stage.vega.generation = 2;
  stage.vega.rejections = (_request, response) => json(response, 200, { answer: "newer" });
  assert.equal(await source.reportRejected(1), "newer");
  assert.equal(source.now().generation, 2);
  assert.equal(await source.reportRejected(1), "newer");
  assert.equal(stage.vega.count("rejections"), 1, "what memory knows is not asked");
});

test("a report: newer, and the token does not come: the cause, and never the old one", async () => {
  const source = stage.server.tokens("PRIMARY");
  await source.current();
  stage.vega.rejections = (_request, response) => json(response, 200, { answer: "newer" });
  stage.vega.token = (_request, response) => problem(response, 409, "human_needed", "Sign in.");
  await assert.rejects(source.reportRejected(1), { name: "NoToken" });
  assert.throws(() => source.now(), NoToken);
});

test("a thousand reports of one token are one request", async () => {
  const source = stage.server.tokens("PRIMARY");
  await source.current();
  const answers = await Promise.all(Array.from({ length: 1000 }, () => source.reportRejected(1)));
  assert.deepEqual(new Set(answers), new Set(["alive"]));
  assert.equal(stage.vega.count("rejections"), 1);
});

test("a report that fails says why, and the next one is a new request", async () => {
  const source = stage.server.tokens("PRIMARY");
  await source.current();
  stage.vega.rejections = (_request, response) => problem(response, 400, "bad_request", "Too new.");
  await assert.rejects(source.reportRejected(7), { name: "VegaError", message: /Too new/ });
  stage.vega.rejections = (_request, response) => response.destroy();
  await assert.rejects(source.reportRejected(1), Unreachable);
  stage.vega.rejections = () => {};
  stage.world.limits.reportMs = 1_000;
  await assert.rejects(source.reportRejected(1), {
    name: "Unreachable",
    message: /silent for 1 s/,
  });
  stage.world.limits.reportMs = 60_000;
  stage.vega.rejections = (_request, response) => json(response, 200, { answer: "alive" });
  assert.equal(await source.reportRejected(1), "alive");
  for (const wrong of [0, -1, 1.5, Number.NaN, "1", undefined]) {
    await assert.rejects(source.reportRejected(/** @type {any} */ (wrong)), TypeError);
  }
});
