// What a source does to the process that it is in: programs of their own, started by the test.
import assert from "node:assert/strict";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { Running, until } from "../../testing/programs.js";
import { json } from "../../testing/scripted-server.js";
import { stageOfEachTest } from "../../testing/stage.js";

const LIBRARY = fileURLToPath(new URL("../../src/index.js", import.meta.url));
const stage = stageOfEachTest();

/** Starts a program that has a Server named `server`. */
function program(/** @type {string} */ text, /** @type {string[]} */ ...flags) {
  const setUp = `import { Server } from ${JSON.stringify(LIBRARY)};
    import { setTimeout as sleep } from "node:timers/promises";
    const server = new Server({ socket: ${JSON.stringify(stage.vega.socket)} });\n`;
  return new Running(process.execPath, [...flags, "--input-type=module", "-e", setUp + text]);
}

/** Its exit code, if it ends by itself: before the limits of an answer and of a silent stream are over. */
async function endsWith(/** @type {Running} */ running) {
  const late = setTimeout(() => void running.stop("SIGKILL"), 8_000);
  const code = await running.ended;
  clearTimeout(late);
  return { code, said: running.stdout + running.stderr };
}

test("a source that is not closed does not keep the process from ending", async () => {
  const running = program('console.log((await server.tokens("PRIMARY").current()).generation);');
  assert.deepEqual(await endsWith(running), { code: 0, said: "1\n" });
});

test("nor does one whose server never answers, or is not there", async () => {
  stage.vega.events = () => {};
  assert.deepEqual(await endsWith(program('server.tokens("PRIMARY");')), { code: 0, said: "" });
  const dead = 'await sleep(300); server.tokens("PRIMARY"); await sleep(300);';
  await stage.vega.stop();
  assert.deepEqual(await endsWith(program(dead)), { code: 0, said: "" });
  await stage.vega.listen();
});

test("nor does a reader of changes that says so", async () => {
  const running = program(`const source = server.tokens("PRIMARY");
    (async () => { for await (const one of source.changes({ ref: false })) console.log(one); })();
    await source.current(); await sleep(100);`);
  assert.deepEqual(await endsWith(running), { code: 0, said: "1\n" });
});

test("a program that only reads changes goes on, also while its server is away", async () => {
  const running = program(
    'for await (const one of server.tokens("PRIMARY").changes()) console.log(one);',
  );
  await until("the first", () => running.stdout === "1\n");
  stage.vega.serve(2);
  await until("the second", () => running.stdout === "1\n2\n");
  await stage.vega.stop();
  stage.vega.generation = 3;
  await stage.vega.listen();
  await until("the third", () => running.stdout === "1\n2\n3\n");
  await running.stop();
});

test("whatever the server does, nothing is thrown at the process", async () => {
  const running = program(`server.tokens("PRIMARY");
    const hold = setInterval(() => {}, 1_000);
    process.once("SIGUSR2", () => { clearInterval(hold); console.log("well"); });`);
  await stage.vega.untilFollowed();
  stage.vega.token = (_request, response) => response.destroy();
  stage.vega.announce();
  await until("it asked", () => stage.vega.count("token") >= 3);
  stage.vega.say("event: token\ndata: garbage\n\n");
  await until("it came again", () => stage.vega.count("events") >= 2);
  stage.vega.events = (_request, response) => json(response, 200, {});
  stage.vega.cutStreams();
  await until("it came once more", () => stage.vega.count("events") >= 4);
  await stage.vega.stop();
  assert.equal(await running.stop("SIGUSR2"), 0);
  assert.equal(running.stdout + running.stderr, "well\n");
  await stage.vega.listen();
});

test("a source that the program dropped stops following", async () => {
  const running = program(
    `await server.tokens("PRIMARY").current();
    console.log("dropped");
    for (;;) { await sleep(50); gc(); }`,
    "--expose-gc",
  );
  await until("it follows", () => running.stdout === "dropped\n");
  await until("it follows no more", () => stage.vega.openStreams === 0);
  await running.stop();
});

test("a source that somebody waits at is not dropped", async () => {
  const running = program(
    `(async () => { for await (const one of server.tokens("PRIMARY").changes()) console.log(one); })();
    for (;;) { await sleep(20); gc(); }`,
    "--expose-gc",
  );
  await until("the first", () => running.stdout === "1\n");
  for (let collections = 0; collections < 10; collections += 1) {
    stage.vega.serve(collections + 2);
    await until("the next", () => running.stdout.endsWith(`${collections + 2}\n`));
  }
  assert.equal(stage.vega.count("events"), 1);
  await running.stop();
});

test("readers that nobody reads and callers that gave up leave nothing in memory", async () => {
  const running = program(
    `const source = server.tokens("PRIMARY"), kept = [];
    for (let i = 0; i < 10; i++) { kept.push(source.changes()); await kept[i].next(); }
    const away = new Server({ socket: "/nowhere/vega.sock" }).tokens("PRIMARY");
    const round = async () => {
      for (let i = 0; i < 100; i++) source.changes();
      await Promise.allSettled(Array.from({ length: 500 }, () => away.current({ timeoutMs: 0 })));
      gc();
    };
    for (let i = 0; i < 5; i++) await round();
    const before = process.memoryUsage().heapUsed;
    for (let i = 0; i < 20; i++) await round();
    console.log(process.memoryUsage().heapUsed - before < 1_000_000);`,
    "--expose-gc",
  );
  await until("it measured", () => running.stdout !== "" || running.stderr !== "", 20_000);
  assert.deepEqual(await endsWith(running), { code: 0, said: "true\n" });
});
