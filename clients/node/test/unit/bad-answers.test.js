// Answers and events that are not what vega-server says: half, wrong, too much, or nothing.
import assert from "node:assert/strict";
import { test } from "node:test";
import { inspect } from "node:util";
import { Unreachable } from "../../src/index.js";
import { until } from "../../testing/programs.js";
import { canary, json } from "../../testing/scripted-server.js";
import { stageOfEachTest } from "../../testing/stage.js";

const stage = stageOfEachTest();

test("unknown events and fields are ignored", async () => {
  const source = stage.server.tokens("PRIMARY");
  await source.current();
  stage.vega.say(
    'event: weather\ndata: not json\n\nevent: token\ndata: {"servable":true,"v":2,"new":[1]}\n\n',
  );
  await until("it is asked again", () => stage.vega.count("token") === 2);
  assert.equal(source.now().generation, 1);
  assert.equal(stage.vega.count("events"), 1);
});

for (const [what, garbage] of [
  ["no JSON", `event: token\ndata: ${canary(9)}\n\n`],
  ["nothing that says whether there is a token", "event: token\ndata: {}\n\n"],
  ["a list", "event: token\ndata: [true]\n\n"],
  ["a line without end", "x".repeat(70_000)],
]) {
  test(`a stream with ${what} is left and taken up again; the token is served on`, async () => {
    const source = stage.server.tokens("PRIMARY");
    await source.current();
    stage.vega.say(garbage ?? "");
    await until("it connects anew", () => stage.vega.count("events") === 2);
    assert.equal(source.now().generation, 1);
  });
}

/** @type {[string, (response: import("node:http").ServerResponse) => unknown][]} */
const BAD_ANSWERS = [
  [
    "half an answer",
    (to) => {
      to.writeHead(200, { "content-length": 500 });
      to.write(`{"access_token":"${canary(1)}`);
      to.destroy();
    },
  ],
  ["no JSON", (to) => to.writeHead(200).end(`<html>${canary(1)}`)],
  [
    "a number for a token",
    (to) => json(to, 200, { access_token: 7, generation: 1, valid_until_unix: 1 }),
  ],
  [
    "a token with a line end",
    (to) =>
      json(to, 200, {
        access_token: `${canary(1)}\r\nX: 1`,
        generation: 1,
        valid_until_unix: 1e10,
      }),
  ],
  ["no generation", (to) => json(to, 200, { access_token: canary(1), valid_until_unix: 1e10 })],
  [
    "a time that is none",
    (to) => json(to, 200, { access_token: canary(1), generation: 1, valid_until_unix: "soon" }),
  ],
  [
    "a huge answer",
    (to) =>
      json(to, 200, {
        access_token: canary(1),
        generation: 1,
        valid_until_unix: 1e10,
        more: "x".repeat(100_000),
      }),
  ],
  ["a redirect", (to) => to.writeHead(302, { location: "http://127.0.0.1:1/" }).end()],
  ["no HTTP", (to) => to.socket?.end(`HTTP/1.1 ${canary(1)}\r\n\r\n`)],
  ["a fault of the server", (to) => to.writeHead(500).end(canary(1))],
  ["silence", () => {}],
];

for (const [what, answer] of BAD_ANSWERS) {
  test(`the answer is ${what}: it is asked again, and its text is shown nowhere`, async () => {
    stage.world.limits.answerMs = 1_000;
    stage.vega.token = (_request, response) => answer(response);
    const source = stage.server.tokens("PRIMARY");
    await assert.rejects(
      source.current({ timeoutMs: what === "silence" ? 1_200 : 200 }),
      (error) => {
        assert.ok(error instanceof Unreachable);
        assert.doesNotMatch(shownAll(error), /CANARY/);
        return true;
      },
    );
    if (what !== "silence") {
      await until("it is asked again", () => stage.vega.count("token") > 1);
    }
    stage.vega.token = (request, response) => stage.vega.serveToken(request, response);
    assert.equal((await source.current()).generation, 1);
    assert.equal(stage.vega.count("events"), 1, "all on the same stream");
  });
}

/** Everything of an error that anything could print. */
function shownAll(/** @type {Error} */ error) {
  return `${inspect(error, { depth: Infinity, showHidden: true, getters: true })}${error.stack}${JSON.stringify(error)}`;
}
