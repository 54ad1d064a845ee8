// Which key files are read, and which are refused.
import assert from "node:assert/strict";
import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import os from "node:os";
import path from "node:path";
import { after, test } from "node:test";
import { readKeyFile } from "../../src/key-file.js";
import { Refused } from "../../src/refusal.js";

const folder = mkdtempSync(path.join(os.tmpdir(), "vega-key-"));
after(() => rmSync(folder, { recursive: true }));

function file(/** @type {string | Buffer} */ text, mode = 0o600) {
  const name = path.join(folder, `key-${Math.random()}`);
  writeFileSync(name, text);
  chmodSync(name, mode);
  return name;
}

const KEY = "vk_CANARY-key_0123";

for (const [what, text] of [
  ["alone", KEY],
  ["with a newline", `${KEY}\n`],
  ["with CRLF", `${KEY}\r\n`],
  ["with spaces around it", ` ${KEY} \n`],
  ["with more lines", `${KEY}\nanother line\n`],
  ["as curl's header", `Authorization: Bearer ${KEY}\n`],
  ["as curl's header in other letters", `authorization:bearer  ${KEY}\r\n`],
  ["after a byte order mark", `\uFEFF${KEY}\r\n`],
]) {
  test(`a key ${what} is read`, () => {
    assert.equal(readKeyFile(file(text ?? "")), KEY);
  });
}

const refusedWith = (/** @type {RegExp} */ words) => (/** @type {unknown} */ error) => {
  assert.ok(error instanceof Refused);
  assert.equal(error.refusal.kind, "not-allowed");
  assert.match(error.refusal.words, words);
  assert.doesNotMatch(error.refusal.words, /CANARY/);
  return true;
};

for (const [what, text] of [
  ["nothing", ""],
  ["an empty first line", `\n${KEY}\n`],
  ["two words", `CANARY ${KEY}\n`],
  ["a header without a key", "Authorization: Bearer \n"],
  ["what no header can carry", `CANARY\u0000${KEY}\n`],
]) {
  test(`a file with ${what} is refused, and is not quoted`, () => {
    const name = file(text ?? "");
    assert.throws(() => readKeyFile(name), refusedWith(/does not begin with an access key/));
  });
}

for (const mode of [0o640, 0o604, 0o620, 0o660, 0o644]) {
  test(`a file of mode ${mode.toString(8)} is refused, with the way to mend it`, () => {
    const name = file(KEY, mode);
    assert.throws(() => readKeyFile(name), refusedWith(new RegExp(`chmod 600 ${name}`)));
  });
}

test("no file, and what is none", () => {
  const missing = path.join(folder, "missing");
  assert.throws(() => readKeyFile(missing), refusedWith(/cannot be read \(ENOENT\).*vega key add/));
  const inner = path.join(folder, "folder");
  mkdirSync(inner, { mode: 0o700 });
  assert.throws(() => readKeyFile(inner), refusedWith(/is not a file/));
});
