// The programs that use tokens, as an operator sees, stops and opens them.

import { screen, within } from "@testing-library/react";
import { expect, test, vi } from "vitest";
import type {
  OpenConsumerData,
  OpenConsumerResponses,
  StopConsumerData,
  StopConsumerResponses,
} from "../generated/client/types.gen";
import { openAt } from "../testing/console";
import { consumer, dashboard } from "../testing/dashboard";
import { network, refused, when } from "../testing/network";

const stopped = {
  since: "2026-11-25T07:50:00+05:30",
  since_unix: 1_795_573_200,
  reason: "too many orders",
};

test("each program is listed with its token, and the one that hangs is named", async () => {
  const consumers = [
    consumer("python3.11", { name: "strategy-a", own_name: "strategy-a" }),
    consumer("old.service", {
      state: "behind",
      generation: 2,
      connected: false,
      access_path: "http",
    }),
    consumer("new.service", { state: "waiting", generation: null, moved_at_unix: null }),
  ];
  await openAt("/system", dashboard({ consumers }));
  const table = within(await screen.findByRole("table", { name: "Programs that use tokens" }));
  const row = (name: RegExp) => table.getByRole("row", { name });
  expect(row(/strategy-a/)).toHaveTextContent("strategy-apython3.11PRIMARY3Current");
  expect(row(/strategy-a/)).toHaveTextContent("listens nowsocket Stop python3.11 …");
  expect(row(/old.service/)).toHaveTextContent("PRIMARY2, newest 3Behind");
  expect(row(/old.service/)).toHaveTextContent("1 min agohttp");
  expect(row(/new.service/)).toHaveTextContent("noneWaitingnever");
});

test("the dashboard says who has not moved to the newest token", async () => {
  const behind = consumer("old.service", { state: "behind", generation: 2 });
  await openAt("/", dashboard({ consumers: [consumer("a"), behind] }));
  expect(await screen.findByText(/1 of 2 programs have moved/)).toHaveTextContent(
    "Not yet: old.service (PRIMARY, token 2, newest 3).",
  );
});

test("a program is stopped after a second press, by what it cannot choose", async () => {
  const asked = vi.fn();
  network.use(
    when<StopConsumerData, StopConsumerResponses>(
      "post",
      "/api/v1/consumers/stop",
      async ({ body }) => {
        asked(await body());
        return [204, undefined];
      },
    ),
  );
  const { user } = await openAt("/system", dashboard({ consumers: [consumer("bot")] }));
  await user.click(await screen.findByRole("button", { name: "Stop bot …" }));
  expect(screen.getByRole("button", { name: "Leave it" })).toHaveFocus();
  expect(asked).not.toHaveBeenCalled();
  await user.click(screen.getByRole("button", { name: "Stop bot" }));
  expect(await screen.findByRole("button", { name: "Stop bot …" })).toBeVisible();
  expect(asked).toHaveBeenCalledExactlyOnceWith({ consumer: "user:1000/bot" });
});

test("a stopped program shows why, and is opened again", async () => {
  const asked = vi.fn();
  network.use(
    when<OpenConsumerData, OpenConsumerResponses>(
      "post",
      "/api/v1/consumers/open",
      async ({ body }) => {
        asked(await body());
        return refused(503, "storage", "The disk is full.");
      },
    ),
  );
  const consumers = [consumer("bot", { stopped })];
  const { user } = await openAt("/system", dashboard({ consumers }));
  const row = await screen.findByRole("row", { name: /bot/ });
  expect(row).toHaveTextContent("Stoppedtoo many orders");
  await user.click(screen.getByRole("button", { name: "Open bot" }));
  expect(await screen.findByText("The disk is full.")).toBeVisible();
  expect(asked).toHaveBeenCalledExactlyOnceWith({ consumer: "user:1000/bot" });
});
