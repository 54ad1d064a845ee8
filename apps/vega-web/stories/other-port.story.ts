// A page of somebody else's server, at another port of the console's own host name: its server is given the console's cookie
// by the browser, and gets nothing for it.

import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { NO_SESSION } from "./console";
import { expect, test } from "./story";

test.use({ scene: { signed_in: ["PRIMARY"] } });

test("a server at another port has the cookie and opens nothing with it", async ({
  console,
  stage,
  watch,
}) => {
  watch.expects(NO_SESSION);
  await console.enter();
  await expect(console.card("PRIMARY")).toContainText("Valid");
  const cookies: string[] = [];
  const stranger = createServer((request, response) => {
    if (request.headers.cookie) cookies.push(request.headers.cookie);
    response.setHeader("content-type", "text/html");
    response.end("<title>elsewhere</title>");
  });
  await new Promise<void>((ready) => stranger.listen(0, "127.0.0.1", ready));
  const { port } = stranger.address() as AddressInfo;
  const page = await console.page.context().newPage();
  await page.goto(`http://127.0.0.1:${port}/`);
  expect(new Set(cookies).size, "browsers give it to every port").toBe(1);
  expect(await page.evaluate(() => ({ ...localStorage }))).toEqual({});
  const paths = ["apis", "session", "events", "audit", "keys", "config", "evidence"];
  for (const path of paths) {
    // As a program of its own would, with all that its server was given.
    const answer = await fetch(`${stage.opening.address}/api/v1/${path}`, {
      headers: { cookie: cookies[0] ?? "", "sec-fetch-site": "same-origin" },
    });
    expect(answer.status, path).toBe(401);
  }
  await page.close();
  stranger.close();
  // The console itself goes on, also in another tab and after a reload.
  const another = await console.page.context().newPage();
  await another.goto(stage.opening.address);
  await expect(another.getByText("Can I trade at 09:15 IST?")).toBeVisible();
  await console.page.reload();
  await expect(console.card("PRIMARY")).toContainText("Valid");
});
