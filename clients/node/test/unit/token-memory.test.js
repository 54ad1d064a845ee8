// Which token is given out, and why none is.
import assert from "node:assert/strict";
import { test } from "node:test";
import { Token } from "../../src/token.js";
import { TokenMemory } from "../../src/token-memory.js";

/** 03:30 IST on 2026-12-02, as Unix milliseconds. */
const DIES = 1_796_162_400_000;
const NOON = DIES - 15.5 * 3_600_000;

const token = (/** @type {number} */ generation) =>
  new Token(`CANARY-${generation}`, generation, DIES);

function memoryWith(/** @type {number} */ generation) {
  const memory = new TokenMemory("PRIMARY");
  memory.accept(token(generation), "tag");
  return memory;
}

/** What is given out, or the words why nothing is. */
function given(/** @type {TokenMemory} */ memory, nowMs = NOON, minValidMs = 0) {
  const read = memory.read(nowMs, minValidMs);
  return "token" in read ? read.token.generation : read.refusal.words;
}

test("never from a generation to an older one", () => {
  for (const [first, second, expected] of [
    [1, 2, 2],
    [2, 2, 2],
    [9, 10, 10],
  ]) {
    const memory = memoryWith(first ?? 0);
    memory.accept(token(second ?? 0), "tag");
    assert.equal(given(memory), expected);
  }
  const memory = memoryWith(3);
  memory.accept(token(2), "tag");
  assert.equal(given(memory), 3, "a server that is behind takes nothing away");
  memory.withdraw();
  memory.accept(token(2), "tag");
  assert.match(String(given(memory)), /generation 2 .* after generation 3/);
  memory.accept(token(4), "tag");
  assert.equal(given(memory), 4);
});

test("a generation that is dead is given to nobody, whoever offers it again", () => {
  const memory = memoryWith(3);
  memory.markDead(3);
  assert.match(String(given(memory)), /Upstox refuses/);
  memory.accept(token(3), "tag");
  assert.match(String(given(memory)), /Upstox refuses the token of PRIMARY, generation 3/);
  memory.accept(token(4), "tag");
  assert.equal(given(memory), 4);
  memory.markDead(3);
  assert.equal(given(memory), 4);
});

test("a token dies at its time to the millisecond, and its words name India's time", () => {
  const memory = memoryWith(1);
  assert.equal(given(memory, DIES - 1), 1);
  assert.match(
    String(given(memory, DIES)),
    /expired at 03:30 IST on 2026-12-02\. Run `vega PRIMARY`/,
  );
  assert.equal(memory.tag(DIES), undefined);
  // The clock was wrong and is set back.
  assert.equal(given(memory, DIES - 1), 1);
});

test("minValidMs refuses a token that dies sooner, and leaves it for those who ask for less", () => {
  const memory = memoryWith(1);
  assert.equal(given(memory, DIES - 60_000, 60_000), 1);
  assert.match(String(given(memory, DIES - 59_999, 60_000)), /59 more seconds.* after 03:30 IST/);
  assert.equal(given(memory, DIES - 59_999), 1);
});

test("what cannot be asked is told only where no token lives", () => {
  const memory = memoryWith(1);
  memory.fail({ kind: "unreachable", code: "unreachable", words: "Nobody listens." });
  assert.equal(given(memory), 1);
  assert.equal(
    given(memory, DIES),
    "The token of PRIMARY expired at 03:30 IST on 2026-12-02. Nobody listens.",
  );
  memory.confirm();
  assert.match(String(given(memory, DIES)), /Run `vega PRIMARY`/);
});

test("a token that is withdrawn is gone at once", () => {
  const memory = memoryWith(1);
  memory.fail({ kind: "unreachable", code: "unreachable", words: "Nobody listens." });
  memory.withdraw();
  assert.match(String(given(memory)), /no token of PRIMARY now/);
  assert.equal(memory.tag(NOON), undefined);
});

test("before the first answer that is what is said", () => {
  const memory = new TokenMemory("PRIMARY");
  assert.equal(memory.isAnswered, false);
  assert.match(String(given(memory)), /has not said yet/);
  memory.withdraw();
  assert.equal(memory.isAnswered, false, "why is still to come");
});
