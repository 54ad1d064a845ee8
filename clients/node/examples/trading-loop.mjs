// Calls Upstox five times a second with the newest token, and reports a 401. Stop it with Ctrl-C.
//
//   node trading-loop.mjs PRIMARY [UPSTOX]
//
// UPSTOX is https://api.upstox.com unless it is given.
import { setTimeout as sleep } from "node:timers/promises";
import { NoToken, Server } from "vega-client";

const [, , api = "PRIMARY", upstox = "https://api.upstox.com"] = process.argv;
const PACE_MS = 200;

const server = new Server({ consumer: "trading-loop" });
const source = server.tokens(api);

for (;;) {
  try {
    // Not one that dies on its way to Upstox.
    const token = await source.current({ minValidMs: 1_000 });
    const answer = await fetch(`${upstox}/v2/user/profile`, {
      headers: { authorization: `Bearer ${token.value}`, accept: "application/json" },
    });
    const body = await answer.text();
    console.log(`generation ${token.generation}: HTTP ${answer.status}`);
    if (answer.status === 401) {
      const verdict = await source.reportRejected(token.generation);
      console.log(`generation ${token.generation} is ${verdict}`);
      if (verdict === "alive") {
        // Another cause, such as the static IP: Upstox says which.
        console.error(body);
        break;
      }
    }
  } catch (error) {
    if (!(error instanceof NoToken)) {
      throw error;
    }
    // A human must sign in; the next token comes by itself.
    console.log(error.message);
    await untilThereIsOne();
  }
  await sleep(PACE_MS);
}
server.close();

async function untilThereIsOne() {
  for await (const generation of source.changes()) {
    if (generation !== null) {
      return;
    }
  }
}
