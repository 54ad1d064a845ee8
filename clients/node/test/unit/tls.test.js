// TLS: the authority that is named counts, and nothing else does.
import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import https from "node:https";
import net from "node:net";
import os from "node:os";
import path from "node:path";
import { after, before, test } from "node:test";
import { Server } from "../../src/index.js";
import { selfSigned } from "../../testing/certificates.js";
import { fastWorld } from "../../testing/fast-world.js";
import { canary } from "../../testing/scripted-server.js";

const folder = mkdtempSync(path.join(os.tmpdir(), "vega-tls-"));
const file = (/** @type {string} */ name) => path.join(folder, name);
const keyFile = file("bot.key");
/** @type {https.Server} */
let vega;
let url = "";

before(async () => {
  writeFileSync(keyFile, "CANARY-key\n", { mode: 0o600 });
  selfSigned(folder, "server");
  selfSigned(folder, "stranger");
  vega = https.createServer(
    { key: readFileSync(file("server.key")), cert: readFileSync(file("server.pem")) },
    (request, response) => {
      if (request.url?.endsWith("/events")) {
        response.writeHead(200, { "content-type": "text/event-stream" });
        response.write('event: token\ndata: {"servable":true}\n\n');
        return;
      }
      const body = { access_token: canary(1), generation: 1, valid_until_unix: 1e10 };
      response.end(JSON.stringify(body));
    },
  );
  await new Promise((resolve) => vega.listen(0, "127.0.0.1", () => resolve(undefined)));
  url = `https://localhost:${/** @type {import("node:net").AddressInfo} */ (vega.address()).port}`;
});

after(async () => {
  vega.closeAllConnections();
  await new Promise((resolve) => vega.close(resolve));
  rmSync(folder, { recursive: true });
});

/**
 * @param {import("../../src/index.js").ServerOptions} options
 * @param {number} [connectMs]
 */
async function current(options, connectMs = 20_000) {
  const world = fastWorld();
  world.limits.connectMs = connectMs;
  const server = new Server({ keyFile, ...options }, world);
  try {
    return await server.tokens("PRIMARY").current({ timeoutMs: 2_000 });
  } finally {
    server.close();
  }
}

test("with its authority the server is trusted", async () => {
  assert.equal((await current({ url, ca: file("server.pem") })).generation, 1);
});

test("without its authority, or with another, it is not, and the way out is told", async () => {
  const refused = {
    name: "Unreachable",
    code: "tls",
    message: /nobody whom this machine trusts.*ca/,
  };
  await assert.rejects(current({ url }), refused);
  await assert.rejects(current({ url, ca: file("stranger.pem") }), refused);
});

test("NODE_TLS_REJECT_UNAUTHORIZED does not count", async () => {
  process.env.NODE_TLS_REJECT_UNAUTHORIZED = "0";
  try {
    await assert.rejects(current({ url }), { code: "tls" });
  } finally {
    delete process.env.NODE_TLS_REJECT_UNAUTHORIZED;
  }
});

test("a certificate for another name is refused, in words", async () => {
  const other = url.replace("localhost", "127.0.0.1");
  await assert.rejects(current({ url: other, ca: file("server.pem") }), {
    code: "tls",
    message: /for another name/,
  });
});

test("a connection that never comes about has a limit", async () => {
  const silent = net.createServer();
  await new Promise((resolve) => silent.listen(0, "127.0.0.1", () => resolve(undefined)));
  const { port } = /** @type {net.AddressInfo} */ (silent.address());
  await assert.rejects(current({ url: `https://127.0.0.1:${port}` }, 1_000), {
    message: /silent for 1 s/,
  });
  silent.close();
});
