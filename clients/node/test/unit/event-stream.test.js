// Server-sent events, however they are cut into pieces.
import assert from "node:assert/strict";
import { test } from "node:test";
import { EventStreamParser, NotAnEventStream } from "../../src/event-stream.js";

const token = (/** @type {string} */ data) => ({ type: "token", data });

/** @type {[string, string, { type: string, data: string }[]][]} */
const TABLE = [
  ["one event", "event: token\ndata: 1\n\n", [token("1")]],
  ["returns", "event: token\rdata: 1\r\r", [token("1")]],
  ["returns and newlines", "event: token\r\ndata: 1\r\n\r\n", [token("1")]],
  ["comments", ": heartbeat\n\n:\nevent: token\n: between\ndata: 1\n\n", [token("1")]],
  ["a byte order mark", "\uFEFFevent: token\ndata: 1\n\n", [token("1")]],
  ["no space after the colon", "event:token\ndata:1\n\n", [token("1")]],
  ["one space is taken away, not two", "data:  1\n\n", [{ type: "message", data: " 1" }]],
  ["several lines of data", "data: a\ndata: b\n\n", [{ type: "message", data: "a\nb" }]],
  ["a field without a colon", "data\n\n", [{ type: "message", data: "" }]],
  [
    "an event without data is none",
    "event: token\n\ndata: 1\n\n",
    [{ type: "message", data: "1" }],
  ],
  ["unknown fields", "id: 7\nretry: 1\nwhat: x\nevent: token\ndata: 1\n\n", [token("1")]],
  ["an event that is cut off", "event: token\ndata: 1\n\nevent: token\ndata: 2\n", [token("1")]],
  ["two events", "event: token\ndata: 1\n\nevent: token\ndata: 2\n\n", [token("1"), token("2")]],
  ["letters beyond ASCII", "data: नमस्ते 🙂\n\n", [{ type: "message", data: "नमस्ते 🙂" }]],
];

for (const [what, text, events] of TABLE) {
  test(`${what}, however it is cut`, () => {
    for (let size = 1; size <= text.length; size += 1) {
      const parser = new EventStreamParser();
      const found = [];
      for (let at = 0; at < text.length; at += size) {
        found.push(...parser.push(text.slice(at, at + size)), ...parser.push(""));
      }
      assert.deepEqual(found, events, `in pieces of ${size}`);
    }
  });
}

test("a line without end is refused before it fills the memory", () => {
  const parser = new EventStreamParser();
  assert.throws(() => {
    for (let pieces = 0; pieces < 100; pieces += 1) {
      parser.push("x".repeat(1024));
    }
  }, NotAnEventStream);
});

test("an event without end is refused before it fills the memory", () => {
  const parser = new EventStreamParser();
  assert.throws(() => {
    for (let lines = 0; lines < 100; lines += 1) {
      parser.push(`data: ${"x".repeat(1024)}\n`);
    }
  }, NotAnEventStream);
});
