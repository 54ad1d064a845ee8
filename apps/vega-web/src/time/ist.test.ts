// Times on India's clock, and when tokens are needed.

import { expect, test } from "vitest";
import {
  clockOf,
  dayAfter,
  istMidnight,
  istStamp,
  istTime,
  lengthInWords,
  neededAt,
  roughlyAgo,
  unixOf,
} from "./ist";

const WEDNESDAY = unixOf("2026-11-25T08:00:00+05:30");

test.each([
  ["the same day", "2026-11-25T09:15:00+05:30", "09:15 IST"],
  ["midnight", "2026-11-25T00:00:00+05:30", "00:00 IST"],
  ["the day after", "2026-11-26T03:30:00+05:30", "03:30 IST tomorrow"],
  ["a later day", "2026-11-30T09:15:00+05:30", "09:15 IST, Mon 30 Nov"],
  ["the day before", "2026-11-24T15:00:00+05:30", "15:00 IST, Tue 24 Nov"],
])("%s is shown as a time of India", (_, at, words) => {
  expect(istTime(unixOf(at), WEDNESDAY)).toBe(words);
});

test.each([
  [-5, "0 s"],
  [0, "0 s"],
  [59, "59 s"],
  [60, "1 min 00 s"],
  [3599, "59 min 59 s"],
  [3600, "1 h 00 min"],
  [86_399, "23 h 59 min"],
  [90_000, "1 d 1 h"],
])("%i seconds are %s", (seconds, words) => {
  expect(lengthInWords(seconds)).toBe(words);
});

test.each([
  ["before the market opens", "2026-11-25T09:14:59+05:30", "2026-11-25T09:15:00+05:30"],
  ["as it opens", "2026-11-25T09:15:00+05:30", "2026-11-25T09:15:00+05:30"],
  ["while it is open", "2026-11-25T15:29:59+05:30", "2026-11-25T15:29:59+05:30"],
  ["after it closed", "2026-11-25T15:30:00+05:30", "2026-11-26T09:15:00+05:30"],
  [
    "past midnight in India, the day before in UTC",
    "2026-11-26T00:30:00+05:30",
    "2026-11-26T09:15:00+05:30",
  ],
  ["on Friday evening", "2026-11-27T18:00:00+05:30", "2026-11-30T09:15:00+05:30"],
  ["on Sunday", "2026-11-29T12:00:00+05:30", "2026-11-30T09:15:00+05:30"],
])("%s tokens are needed at the market's next time", (_, now, needed) => {
  expect(neededAt(unixOf(now))).toBe(unixOf(needed));
});

test("a record says its day and second in India", () => {
  expect(istStamp(unixOf("2026-11-25T20:00:01Z"))).toBe("26 Nov 2026, 01:30:01 IST");
});

test.each([
  [-90_000, "in 1 d"],
  [-60, "in 1 min"],
  [0, "just now"],
  [59, "just now"],
  [3599, "59 min ago"],
  [86_399, "23 h ago"],
  [86_400, "1 d ago"],
])("%i seconds ago are roughly %s", (seconds, words) => {
  expect(roughlyAgo(seconds)).toBe(words);
});

test.each([
  [-1, "0:00"],
  [61, "1:01"],
  [3600, "1:00:00"],
  [86_399, "23:59:59"],
])("a clock with %i seconds left shows %s", (seconds, words) => {
  expect(clockOf(seconds)).toBe(words);
});

test.each([
  ["2026-11-30", "2026-12-01"],
  ["2026-12-31", "2027-01-01"],
  ["2028-02-28", "2028-02-29"],
])("after %s comes %s, which begins in India", (day, next) => {
  expect(dayAfter(day)).toBe(next);
  expect(unixOf(istMidnight(next)) - unixOf(istMidnight(day))).toBe(86_400);
});
