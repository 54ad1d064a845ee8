// The stream of generations, and the end of a source.
import assert from "node:assert/strict";
import { test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { until } from "../../testing/programs.js";
import { stageOfEachTest, untilGeneration } from "../../testing/stage.js";

const stage = stageOfEachTest();

test("changes: the first state, each new one, none, and the end", async () => {
  stage.vega.generation = null;
  const source = stage.server.tokens("PRIMARY");
  /** @type {(number | null)[]} */
  const told = [];
  const reader = (async () => {
    for await (const change of source.changes()) {
      told.push(change);
    }
  })();
  const untilTold = (/** @type {number} */ count) => until(`${count}`, () => told.length === count);
  await untilTold(1);
  stage.vega.serve(1);
  await untilTold(2);
  stage.vega.announce();
  stage.vega.cutStreams();
  await until("it is followed again", () => stage.vega.count("events") === 2);
  stage.vega.serve(2);
  await untilTold(3);
  stage.vega.serve(null);
  await untilTold(4);
  source.close();
  await reader;
  assert.deepEqual(told, [null, 1, 2, null]);
});

for (const isAway of [true, false]) {
  test(`changes tell that a token died at its time while the server is ${isAway ? "away" : "silent"}`, async () => {
    stage.vega.validUntilUnix = Math.floor(Date.now() / 1000) + 2;
    const changes = stage.server.tokens("PRIMARY").changes();
    assert.deepEqual(await changes.next(), { done: false, value: 1 });
    if (isAway) {
      await stage.vega.stop();
    }
    assert.deepEqual(await changes.next(), { done: false, value: null });
    const lateMs = Date.now() - stage.vega.validUntilUnix * 1000;
    assert.ok(lateMs >= 0 && lateMs < 15_000, `${lateMs} ms late`);
    if (!isAway) {
      await until("it is asked why", () => stage.vega.count("token") === 2);
    }
  });
}

test("a slow reader gets the newest state, and a reader that never reads costs nothing", async () => {
  const source = stage.server.tokens("PRIMARY");
  const changes = source.changes();
  assert.equal((await changes.next()).value, 1);
  for (let next = 2; next <= 20; next += 1) {
    stage.vega.serve(next);
    await untilGeneration(source, next);
  }
  assert.equal((await changes.next()).value, 20);
  await changes.return?.();
  assert.deepEqual(await changes.next(), { done: true, value: undefined });
});

test("leaving the loop ends a wait that is under way", async () => {
  const changes = stage.server.tokens("PRIMARY").changes();
  await changes.next();
  const waiting = changes.next();
  await sleep(20);
  await changes.return?.();
  assert.deepEqual(await waiting, { done: true, value: undefined });
});

test("closing ends every wait", async () => {
  stage.vega.token = () => {};
  const source = stage.server.tokens("PRIMARY");
  const current = source.current();
  const next = source.changes().next();
  const closed = assert.rejects(current, { code: "closed" });
  stage.server.close();
  await closed;
  assert.deepEqual(await next, { done: true, value: undefined });
  assert.throws(() => source.now(), { code: "closed" });
  assert.throws(() => stage.server.tokens("PRIMARY"), { code: "closed" });
  await assert.rejects(source.reportRejected(1), { code: "closed" });
});
