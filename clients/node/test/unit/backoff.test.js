// How long a client waits before it asks again.
import assert from "node:assert/strict";
import { test } from "node:test";
import { Backoff } from "../../src/backoff.js";

const FAILED = { clean: false, lastedMs: 0 };

test("the ceiling doubles from a tenth of a second to five seconds", () => {
  const backoff = new Backoff(() => 1);
  const ceilings = Array.from({ length: 9 }, () => backoff.next(FAILED));
  assert.deepEqual(ceilings, [100, 200, 400, 800, 1600, 3200, 5000, 5000, 5000]);
});

test("all of it is jitter", () => {
  const backoff = new Backoff(() => 0);
  assert.equal(backoff.next(FAILED), 0);
  assert.equal(backoff.next({ clean: true, lastedMs: 0 }), 0);
  const half = new Backoff(() => 0.5);
  assert.equal(half.next(FAILED), 50);
});

test("after an orderly end programs come back within a second, not all at once", () => {
  assert.equal(new Backoff(() => 1).next({ clean: true, lastedMs: 60_000 }), 1_000);
});

test("a stream that lasted starts anew; one that ends at once does not", () => {
  const backoff = new Backoff(() => 1);
  for (let failures = 0; failures < 8; failures += 1) {
    backoff.next(FAILED);
  }
  assert.equal(backoff.next({ clean: true, lastedMs: 100 }), 5_000);
  assert.equal(backoff.next({ clean: false, lastedMs: 5_000 }), 100);
});

test("Retry-After is obeyed, and a minute at most", () => {
  assert.equal(new Backoff(() => 0).next({ ...FAILED, retryAfterMs: 7_000 }), 7_000);
  assert.equal(new Backoff(() => 0).next({ ...FAILED, retryAfterMs: 3_600_000 }), 60_000);
});
