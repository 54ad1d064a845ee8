// Nothing that prints an object shows a token or a key.
import assert from "node:assert/strict";
import { test } from "node:test";
import { format, inspect } from "node:util";
import { Token } from "../../src/index.js";
import { canary } from "../../testing/scripted-server.js";
import { stageOfEachTest } from "../../testing/stage.js";

const stage = stageOfEachTest();

/** Everything that could be printed of it. */
function shown(/** @type {any} */ thing) {
  return [
    inspect(thing),
    inspect(thing, { depth: null, showHidden: true, getters: true, showProxy: true }),
    inspect(thing, { depth: null, showHidden: true, customInspect: false }),
    inspect({ nested: [thing] }, { depth: null }),
    format("%s %o %O %j", thing, thing, thing, thing),
    JSON.stringify({ thing }),
    `${thing}`,
    inspect(structuredClone({ ...thing })),
    inspect(Object.entries(thing)),
  ].join("\n");
}

test("a token shows its generation and its end, and not its value", () => {
  const token = new Token(canary(7), 7, 1_796_162_400_000);
  assert.equal(token.value, canary(7));
  assert.doesNotMatch(shown(token), /CANARY/);
  assert.equal(
    inspect(token),
    "Token { generation: 7, validUntil: 2026-12-01T22:00:00.000Z, value: [redacted] }",
  );
  assert.equal(`${token}`, "[token of generation 7]");
});

test("nobody can change a token, nor its end through the Date that it gives", () => {
  const token = new Token(canary(7), 7, 1_796_162_400_000);
  token.validUntil.setFullYear(2099);
  assert.equal(token.validUntil.getTime(), 1_796_162_400_000);
  assert.throws(() => Object.assign(token, { value: "x" }), TypeError);
});

test("a source and a server that have a token show nothing of it", async () => {
  const source = stage.server.tokens("PRIMARY");
  await source.current();
  const changes = source.changes();
  await changes.next();
  for (const thing of [source, stage.server, changes]) {
    assert.doesNotMatch(shown(thing), /CANARY/);
  }
});
