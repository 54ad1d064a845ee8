// What a TypeScript program may write. Compiled by test/unit/package.test.js against the package as npm gets it; never run.
import {
  NoToken,
  NotAllowed,
  Server,
  type ServerOptions,
  type Token,
  type TokenSource,
  Unreachable,
  VegaError,
} from "vega-client";
import {
  authenticate,
  MarketDataStreamerV3,
  PortfolioDataStreamer,
  type UpstoxSdk,
} from "vega-client/upstox";

const options: ServerOptions = {
  url: "https://vega.example",
  keyFile: "bot.key",
  ca: "ca.pem",
  consumer: "bot",
};

export async function trade(sdk: UpstoxSdk): Promise<void> {
  await using server = new Server(options);
  const source: TokenSource = server.tokens("PRIMARY");
  try {
    const token: Token = await source.current({ minValidMs: 60_000, timeoutMs: 5_000 });
    const parts: [string, number, Date] = [token.value, token.generation, token.validUntil];
    console.log(parts.length, source.now().generation);
    const answer: "alive" | "dead" | "newer" | "unknown" = await source.reportRejected(
      token.generation,
    );
    console.log(answer);
  } catch (error) {
    if (error instanceof NoToken) {
      const retryAt: Date | undefined = error.retryAt;
      console.log(error.code, error.message, retryAt);
    } else if (
      error instanceof Unreachable ||
      error instanceof NotAllowed ||
      error instanceof VegaError
    ) {
      console.log(error.code);
    }
  }
  for await (const generation of source.changes({ ref: false })) {
    const told: number | null = generation;
    console.log(told);
  }
  authenticate(sdk.ApiClient.instance, source);
  const streamer = new MarketDataStreamerV3(sdk, source, ["NSE_INDEX|Nifty 50"], "full");
  streamer.on("open", () => streamer.subscribe(["A"], "ltpc"));
  streamer.on("message", (message) => console.log(message.toString()));
  streamer.connect();
  new PortfolioDataStreamer(sdk, source, true, false).connect();
  // @ts-expect-error A length is a number of milliseconds.
  await source.current({ minValidMs: "30m" });
  // @ts-expect-error A token is not made of a plain object.
  const wrong: Token = { value: "", generation: 1, validUntil: new Date() };
  console.log(wrong);
}
