// How a server may be named, and what is refused before anything is sent.
import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import os from "node:os";
import path from "node:path";
import { after, test } from "node:test";
import { NotAllowed, Server, Unreachable } from "../../src/index.js";
import { fastWorld } from "../../testing/fast-world.js";
import { problem, ScriptedServer } from "../../testing/scripted-server.js";

const folder = mkdtempSync(path.join(os.tmpdir(), "vega-options-"));
after(() => rmSync(folder, { recursive: true }));
const keyFile = path.join(folder, "bot.key");
writeFileSync(keyFile, "CANARY-key\r\n", { mode: 0o600 });

for (const url of [
  "http://192.0.2.1:28020",
  "http://vega.example",
  "http://0.0.0.0:28020",
  "http://127.0.0.1.evil.example",
  "http://localhost.evil.example",
  "http://[::ffff:127.0.0.1]:28020",
  "http://[::]:28020",
]) {
  test(`no key in plain text to ${url}`, () => {
    assert.throws(() => new Server({ url, keyFile }), { name: "TypeError", message: /plain text/ });
  });
}

for (const url of [
  "http://127.0.0.1:28020",
  "http://127.8.8.8/",
  "http://localhost:28020",
  "http://[::1]:28020",
  "https://vega.example:8443",
  "https://192.0.2.1",
]) {
  test(`${url} is taken`, () => {
    new Server({ url, keyFile }).close();
  });
}

for (const url of [
  "vega.example",
  "ftp://vega.example",
  "https://user:CANARY@vega.example",
  "https://vega.example/api",
  "https://vega.example?key=CANARY",
  "",
]) {
  test(`"${url}" is no address of a server, and is not quoted`, () => {
    assert.throws(
      () => new Server({ url, keyFile }),
      (error) => {
        assert.ok(error instanceof TypeError);
        assert.doesNotMatch(error.message, /CANARY/);
        return true;
      },
    );
  });
}

test("options that do not go together are refused", () => {
  const url = "https://vega.example";
  for (const options of [
    { url },
    { socket: "/s", url, keyFile },
    { socket: "/s", keyFile },
    { keyFile },
    { socket: "/s", ca: keyFile },
    { url: "http://127.0.0.1", keyFile, ca: keyFile },
    { url, keyFile, ca: path.join(folder, "missing.pem") },
    { socket: "/s", consumer: "a name" },
    { socket: "/s", consumer: "x".repeat(65) },
    { socket: "/s", consumer: "näme" },
    { socket: "/s", consumer: "a\r\nX: 1" },
  ]) {
    assert.throws(() => new Server(options), TypeError, JSON.stringify(options));
  }
  for (const api of ["", undefined, 7]) {
    assert.throws(() => new Server({ socket: "/s" }).tokens(/** @type {any} */ (api)), TypeError);
  }
});

test("a key that cannot be read is told when the Server is made", () => {
  const missing = path.join(folder, "missing.key");
  assert.throws(
    () => new Server({ url: "https://vega.example", keyFile: missing }),
    (error) => error instanceof NotAllowed && error.code === "key_file",
  );
});

test("the usual socket is in XDG_RUNTIME_DIR; without that the way out is told", async () => {
  const before = process.env.XDG_RUNTIME_DIR;
  try {
    process.env.XDG_RUNTIME_DIR = folder;
    const server = new Server();
    await assert.rejects(server.tokens("PRIMARY").current({ timeoutMs: 50 }), {
      message: new RegExp(`no socket at ${folder}/vega/vega.sock`),
    });
    server.close();
    delete process.env.XDG_RUNTIME_DIR;
    assert.throws(() => new Server(), Unreachable);
  } finally {
    process.env.XDG_RUNTIME_DIR = before;
  }
});

test("an API's name is one part of the path, whatever is in it", async () => {
  const { server: vega, port } = await ScriptedServer.startAtPort();
  const server = new Server({ url: `http://localhost:${port}`, keyFile }, fastWorld());
  await server.tokens("../x?y z").current();
  assert.equal(vega.requests[0]?.path, "/api/v1/apis/..%2Fx%3Fy%20z/events");
  server.close();
  await vega.clear();
});

test("the key goes with each request, and one that is replaced counts from the next on", async () => {
  const { server: vega, port } = await ScriptedServer.startAtPort();
  const file = path.join(folder, "replaced.key");
  writeFileSync(file, "CANARY-first\n", { mode: 0o600 });
  const server = new Server({ url: `http://127.0.0.1:${port}`, keyFile: file }, fastWorld());
  const source = server.tokens("PRIMARY");
  await source.current();
  writeFileSync(file, "CANARY-second\n");
  await source.reportRejected(1);
  assert.deepEqual(
    vega.requests.map(({ headers }) => headers.authorization),
    ["Bearer CANARY-first", "Bearer CANARY-first", "Bearer CANARY-second"],
  );
  server.close();
  await vega.clear();
});

test("a key without the scope: in the words of the server, which names it", async () => {
  const { server: vega, port } = await ScriptedServer.startAtPort();
  vega.events = (_request, response) => problem(response, 403, "not_allowed", "Not this key.");
  const server = new Server({ url: `http://127.0.0.1:${port}`, keyFile }, fastWorld());
  await assert.rejects(server.tokens("PRIMARY").current(), {
    name: "NotAllowed",
    code: "not_allowed",
    message: /Not this key\./,
  });
  server.close();
  await vega.clear();
});
