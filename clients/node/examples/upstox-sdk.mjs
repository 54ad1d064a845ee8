// Upstox's own SDK with the newest token: a request, and market data that goes on through every change of the token.
//
//   npm install upstox-js-sdk
//   node upstox-sdk.mjs PRIMARY [UPSTOX]
//
// UPSTOX is the SDK's own address of Upstox unless it is given; streamers connect to api.upstox.com in any case.
import UpstoxClient from "upstox-js-sdk";
import { Server } from "vega-client";
import { authenticate, MarketDataStreamerV3 } from "vega-client/upstox";

const client = UpstoxClient.ApiClient.instance;
const [, , api = "PRIMARY", upstox = client.basePath] = process.argv;
const server = new Server({ consumer: "upstox-sdk" });
const source = server.tokens(api);

client.basePath = upstox;
authenticate(client, source);

// Once, so that a token is there when the SDK asks for it.
const { generation } = await source.current();
new UpstoxClient.UserApi().getProfile("2.0", told);

/** @type {(error: any, profile: any) => Promise<void>} */
async function told(error, profile) {
  if (error?.status === 401) {
    console.error(`generation ${generation} is ${await source.reportRejected(generation)}`);
  } else {
    console.log(error ? error.message : `trading as ${profile.data.userId}`);
  }
}

const streamer = new MarketDataStreamerV3(UpstoxClient, source, ["NSE_INDEX|Nifty 50"], "ltpc");
streamer.on("open", () => console.log("the feed is open"));
streamer.on("message", (message) => console.log(message.toString()));
streamer.on("error", (error) => console.error(`the feed: ${error.message}`));
streamer.connect();

process.once("SIGINT", () => {
  streamer.disconnect();
  server.close();
});
