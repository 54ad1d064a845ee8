// What an address says about the search, and how the server is asked for it.

import { expect, test } from "vitest";
import { queryOf, searchOf } from "./search";

const RUN = "0197a000-0000-7000-8000-000000000001";

test("takes what fits from an address", () => {
  const address = {
    q: "throttled",
    account: "default",
    api: "PRIMARY",
    kind: "token_stored",
    run: RUN,
    from: "2026-11-24",
    to: "2026-11-25",
  };
  expect(searchOf(address)).toEqual(address);
});

test.each([
  ["an empty field", { q: "" }],
  ["a field that there is not", { x: "1" }],
  ["words that are too long", { q: "x".repeat(201) }],
  ["no name of an API", { api: "a b" }],
  ["a kind that there is not", { kind: "nonsense" }],
  ["a property of every object", { kind: "constructor" }],
  ["no run", { run: "42" }],
  ["no day", { from: "yesterday", to: "2026-13-45" }],
  ["lists and objects", { q: ["a"], api: { b: 1 } }],
])("leaves out %s", (_, address) => {
  expect(searchOf(address)).toEqual({});
});

test("takes an API in any case of letters, as the list has it", () => {
  expect(searchOf({ api: "Primary" })).toEqual({ api: "PRIMARY" });
});

test("takes the name of an account's analytics token, which is no API's", () => {
  expect(searchOf({ api: "@default" })).toEqual({ api: "@default" });
});

test("reads a number as words", () => {
  expect(searchOf({ q: 42 })).toEqual({ q: "42" });
});

test("days begin and end in India", () => {
  expect(queryOf({ from: "2026-11-24", to: "2026-11-25", q: "x" })).toEqual({
    q: "x",
    since: "2026-11-24T00:00:00+05:30",
    until: "2026-11-26T00:00:00+05:30",
  });
});
