// The console reads what is typed as the domain does: from its own table.

import { expect, test } from "vitest";
import table from "../../../../crates/domain/src/reading/second_factors.json";
import { readSecondFactor } from "./secondFactor";

test.each(table)("$typed is read as in the domain", ({ typed, read }) => {
  expect(readSecondFactor("OTP", typed).digits ?? null).toBe(read);
  expect(readSecondFactor("PIN", typed).digits ?? null).toBe(read);
});

test("a refusal says what is wrong and repeats no digit", () => {
  expect(readSecondFactor("OTP", "12345").problem).toMatch(
    /^OTP must be six digits, and this has 5\./,
  );
  expect(readSecondFactor("PIN", "31415x").problem).toMatch(
    /^PIN must be six digits, and this holds a letter\./,
  );
});
