// Upstox's own SDK with the newest token: a request, and market data that goes on through every change of the token.
//
//   npm install upstox-js-sdk
//   node examples/upstox-sdk.js PRIMARY
import UpstoxClient from "upstox-js-sdk";
import { Server } from "vega-client";
import { authenticate, MarketDataStreamerV3 } from "vega-client/upstox";

const server = new Server({ consumer: "upstox-sdk" });
const source = server.tokens(process.argv[2] ?? "PRIMARY");

const client = UpstoxClient.ApiClient.instance;
client.basePath = process.env.UPSTOX_URL ?? client.basePath;
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
