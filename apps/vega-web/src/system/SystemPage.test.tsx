// The system page as an operator uses it: how the server is, what it runs with, who else may call it.

import { screen, waitFor, within } from "@testing-library/react";
import { HttpResponse, http } from "msw";
import { beforeEach, expect, test, vi } from "vitest";
import { keepSessionSecret } from "../api/session";
import type { Evidence, Key, Machine } from "../api/types";
import type {
  GetConfigData,
  GetConfigResponses,
  GetSessionData,
  GetSessionResponses,
  GetSystemData,
  GetSystemResponses,
  ListEvidenceData,
  ListEvidenceResponses,
  ListKeysData,
  ListKeysResponses,
  RevokeKeyData,
  RevokeKeyResponses,
} from "../generated/client/types.gen";
import { openAt } from "../testing/console";
import { account, dashboard, failure, MORNING, missing } from "../testing/dashboard";
import { network, refused, when } from "../testing/network";

const KEY = "0197a000-0000-7000-8000-0000000000aa";

function key(changes: Partial<Key> = {}): Key {
  return {
    id: KEY,
    name: "grafana",
    scopes: ["status", "token:PRIMARY"],
    state: "live",
    created_at: "2026-11-20T08:00:00+05:30",
    created_at_unix: 1_795_142_000,
    expires_at: null,
    last_used_at: null,
    revoked_at: null,
    ...changes,
  };
}

function keys(...keys: Key[]) {
  network.use(
    when<ListKeysData, ListKeysResponses>("get", "/api/v1/keys", () => [
      200,
      { v: 1, keys, unfit: [] },
    ]),
  );
}

type System = GetSystemResponses[200];

function system(changes: Partial<System> = {}) {
  network.use(
    when<GetSystemData, GetSystemResponses>("get", "/api/v1/system", () => [
      200,
      {
        v: 1,
        version: "0.1.0",
        started_at: "2026-11-25T07:00:00+05:30",
        started_at_unix: MORNING - 3600,
        database: {
          url: "sqlite:///data/vega_trade.db",
          engine: "SQLite",
          engine_version: "3.50.2",
          schema_version: 12,
        },
        key: { source: "file", path: "/config/vega.key", id: "k-4711" },
        sign_in: {
          route: "webdriver",
          headless: false,
          browser: null,
          chromedriver: null,
          webdriver_url: null,
        },
        machines: [machine()],
        lease: null,
        health: { ready: true, storage: true, storage_problem: null },
        ...changes,
      },
    ]),
  );
}

function machine(changes: Partial<Machine> = {}): Machine {
  return {
    name: "desk1",
    is_this_one: true,
    version: "0.1.0",
    url: "http://127.0.0.1:28020/",
    seen_at: "2026-11-25T08:00:00+05:30",
    seen_at_unix: MORNING,
    has_key: true,
    has_next_key: null,
    ...changes,
  };
}

function evidence(...evidence: Evidence[]) {
  network.use(
    when<ListEvidenceData, ListEvidenceResponses>("get", "/api/v1/evidence", () => [
      200,
      { v: 1, evidence },
    ]),
  );
}

beforeEach(() => {
  evidence();
  keys();
  system();
  network.use(
    when<GetConfigData, GetConfigResponses>("get", "/api/v1/config", () => [
      200,
      {
        v: 1,
        version: "0.1.0",
        database: "/data/vega_trade.db",
        settings: [
          { key: "sign_in.otp_budget", value: "4", source: "default" },
          { key: "account.default.mobile_number", value: "98••••••10", source: ".env" },
        ],
        warnings: ["UPSTOX_PIN is not read."],
      },
    ]),
    when<GetSessionData, GetSessionResponses>("get", "/api/v1/session", () => [
      200,
      {
        v: 1,
        opened_at: "2026-11-25T07:00:00+05:30",
        ends_at: "2026-11-25T19:00:00+05:30",
        ends_at_unix: MORNING + 11 * 3600,
        idle_seconds: 900,
      },
    ]),
  );
});

test("the settings in force can be looked through", async () => {
  const { user } = await openAt("/system", dashboard());
  const table = await screen.findByRole("table", { name: "Settings" });
  expect(table).toHaveTextContent("sign_in.otp_budget4default");
  expect(table).toHaveTextContent("98••••••10");
  expect(screen.getByRole("group", { name: "Check this setting" })).toHaveTextContent(
    "UPSTOX_PIN is not read.",
  );
  await user.type(screen.getByLabelText("Only those that hold"), "BUDGET");
  expect(table).not.toHaveTextContent("mobile");
  await user.type(screen.getByLabelText("Only those that hold"), "nothing");
  expect(screen.getByText("No setting holds these words.")).toBeVisible();
});

test("an access key is revoked after a second press, and the list says so", async () => {
  keys(key());
  const revoked = vi.fn();
  network.use(
    when<RevokeKeyData, RevokeKeyResponses>("delete", "/api/v1/keys/{id}", ({ params }) => {
      revoked(params.id);
      keys(key({ state: "revoked", revoked_at: "2026-11-25T08:00:00+05:30" }));
      return [204, undefined];
    }),
  );
  const { user } = await openAt("/system", dashboard());
  const table = within(await screen.findByRole("table", { name: "Access keys" }));
  expect(table.getByRole("row", { name: /grafana/ })).toHaveTextContent("status, token:PRIMARY");
  await user.click(table.getByRole("button", { name: "Revoke grafana …" }));
  expect(table.getByRole("button", { name: "Keep it" })).toHaveFocus();
  expect(revoked).not.toHaveBeenCalled();
  await user.click(table.getByRole("button", { name: "Revoke grafana" }));
  expect(await table.findByText("Revoked")).toBeVisible();
  expect(revoked).toHaveBeenCalledExactlyOnceWith(KEY);
  expect(table.queryByRole("button")).not.toBeInTheDocument();
});

test("a key whose record does not fit is told, and can be revoked", async () => {
  const revoked = vi.fn();
  network.use(
    when<ListKeysData, ListKeysResponses>("get", "/api/v1/keys", () => [
      200,
      { v: 1, keys: [], unfit: revoked.mock.calls.length ? [] : [{ id: KEY, names: ["algo"] }] },
    ]),
    when<RevokeKeyData, RevokeKeyResponses>("delete", "/api/v1/keys/{id}", ({ params }) => {
      revoked(params.id);
      return [204, undefined];
    }),
  );
  const { user } = await openAt("/system", dashboard());
  expect(await screen.findByText("The record of key algo does not fit")).toBeVisible();
  await user.click(screen.getByRole("button", { name: "Revoke algo …" }));
  await user.click(screen.getByRole("button", { name: "Revoke algo" }));
  await waitFor(() =>
    expect(screen.queryByText("The record of key algo does not fit")).not.toBeInTheDocument(),
  );
  expect(revoked).toHaveBeenCalledExactlyOnceWith(KEY);
});

test("a key that is kept stays", async () => {
  keys(key());
  const { user } = await openAt("/system", dashboard());
  await user.click(await screen.findByRole("button", { name: "Revoke grafana …" }));
  await user.click(screen.getByRole("button", { name: "Keep it" }));
  expect(screen.getByRole("button", { name: "Revoke grafana …" })).toHaveFocus();
});

test("what cannot be revoked is said", async () => {
  keys(key());
  network.use(
    when("delete", "/api/v1/keys/{id}", () => refused(503, "storage", "The disk is full.")),
  );
  const { user } = await openAt("/system", dashboard());
  await user.click(await screen.findByRole("button", { name: "Revoke grafana …" }));
  await user.click(screen.getByRole("button", { name: "Revoke grafana" }));
  expect(await screen.findByText("The disk is full.")).toBeVisible();
});

test("an expired key says so, and none is told apart from none yet", async () => {
  const { unmount } = await openAt("/system", dashboard());
  expect(await screen.findByText("There is no access key yet.")).toBeVisible();
  unmount();
  keys(key({ state: "expired", expires_at: "2026-11-24T08:00:00+05:30" }));
  await openAt("/system", dashboard());
  expect(await screen.findByText("Expired")).toBeVisible();
});

test("says how long this session lasts", async () => {
  await openAt("/system", dashboard());
  await waitFor(() =>
    expect(screen.getByRole("region", { name: "This console's session" })).toHaveTextContent(
      /Ends19:00 IST \(in 1[01] h \d\d min\), or after 15 min 00 s/,
    ),
  );
});

test("says what the server works with, and how many OTPs are left", async () => {
  await openAt("/system", dashboard({ accounts: [account({ otp_presses_left: 3 })] }));
  const health = await screen.findByRole("region", { name: "Health" });
  await waitFor(() => expect(health).toHaveTextContent("Ready"));
  expect(health).toHaveTextContent("0.1.0, runs since 25 Nov 2026, 07:00:00 IST");
  expect(health).toHaveTextContent("sqlite:///data/vega_trade.db – SQLite 3.50.2, schema 12");
  expect(health).toHaveTextContent("from the file /config/vega.key, id k-4711");
  expect(health).toHaveTextContent("Chromium, as found on the path, in a window on the desk");
  expect(health).toHaveTextContent("OTPs of default3 of 4 left");
  expect(health).not.toHaveTextContent("Certificate");
});

test("says until when an account's analytics token lives", async () => {
  const analytics = { status: "valid" as const, servable: true, valid_until_unix: MORNING };
  await openAt("/system", dashboard({ accounts: [account({ analytics })] }));
  const health = await screen.findByRole("region", { name: "Health" });
  await waitFor(() =>
    expect(health).toHaveTextContent(
      "Analytics token of defaultvalid, until 25 Nov 2026, 08:00:00 IST",
    ),
  );
});

test("says until when the server's own certificate is valid", async () => {
  const not_after = "2026-12-25T08:00:00+05:30";
  const not_after_unix = MORNING + 30 * 86_400;
  system({ certificate: { path: "/config/server.pem", not_after, not_after_unix } });
  await openAt("/system", dashboard());
  const health = await screen.findByRole("region", { name: "Health" });
  await waitFor(() =>
    expect(health).toHaveTextContent(
      "Certificate/config/server.pem, valid until 25 Dec 2026, 08:00:00 IST in 30 d",
    ),
  );
});

test("says why the server is not ready", async () => {
  const problem = "The disk is full. Free some space.";
  system({ health: { ready: false, storage: false, storage_problem: problem } });
  await openAt("/system", dashboard());
  expect(await screen.findByText("Not ready")).toBeVisible();
  expect(screen.getByText(problem)).toBeVisible();
});

test("says which machines share the database, what they have, and who signs in", async () => {
  const there = { is_this_one: false, url: "http://127.0.0.1:28021/" };
  const lease = {
    machine: "desk2",
    pid: 4711,
    since: "2026-11-25T07:59:00+05:30",
    since_unix: MORNING - 60,
    is_this_server: false,
    url: there.url,
  };
  const machines = [
    machine({ has_next_key: true }),
    machine({ name: "desk2", ...there, has_next_key: false }),
    machine({ name: "desk3", is_this_one: false, url: null, has_key: false, has_next_key: false }),
  ];
  system({ machines, lease });
  await openAt("/system", dashboard());
  const panel = within(await screen.findByRole("region", { name: "Machines" }));
  expect(panel.getByRole("row", { name: /desk1/ })).toHaveTextContent(
    /desk1 \(this one\)has it, and the next one/,
  );
  expect(panel.getByRole("row", { name: /desk2/ })).toHaveTextContent("not the next one yet");
  expect(panel.getByRole("row", { name: /desk3/ })).toHaveTextContent(/Lacks it.*none$/);
  expect(panel.getByText("A machine lacks the key")).toBeVisible();
  expect(panel.getByText(/Process 4711 on desk2 has the right to sign in/)).toBeVisible();
  for (const link of panel.getAllByRole("link", { name: there.url })) {
    expect(link).toHaveAttribute("href", there.url);
  }
});

test("says that nobody signs in, and nothing of keys where all have it", async () => {
  await openAt("/system", dashboard());
  const panel = within(await screen.findByRole("region", { name: "Machines" }));
  expect(panel.getByText("Nobody signs in now.")).toBeVisible();
  expect(panel.queryByText("A machine lacks the key")).not.toBeInTheDocument();
});

const KEPT = {
  id: "20261125T075900-CHAIN",
  at: "2026-11-25T07:59:00+05:30",
  at_unix: MORNING - 60,
  api: "CHAIN",
  reason: "page_changed",
  path: "/data/evidence/20261125T075900-CHAIN.json",
  has_picture: true,
  facts: [{ about: "Page", says: "<img src=x onerror=boom()>" }],
};

test("shows what failed sign-ins left behind, the newest open", async () => {
  evidence(KEPT, { ...KEPT, id: "older", api: "PRIMARY", has_picture: true });
  const asked: string[] = [];
  network.use(
    http.get(`${location.origin}/api/v1/evidence/:id/picture`, ({ request }) => {
      asked.push(`${new URL(request.url).pathname} ${request.headers.get("x-vega-session")}`);
      return new HttpResponse("PNG", { headers: { "Content-Type": "image/png" } });
    }),
  );
  keepSessionSecret("CANARY-second");
  await openAt("/system", dashboard());
  const [newest, older] = await screen.findAllByRole("group");
  expect(newest).toHaveAttribute("open");
  expect(newest).toHaveTextContent("CHAIN page changed, 25 Nov 2026, 07:59:00 IST");
  expect(newest).toHaveTextContent("Page<img src=x onerror=boom()>");
  const picture = await screen.findByRole("img", { name: /sign-in for CHAIN failed/ });
  expect(picture).toHaveAttribute("src", `data:image/png;base64,${btoa("PNG")}`);
  expect(older).not.toHaveAttribute("open");
  expect(screen.getAllByRole("img")).toHaveLength(1);
  // What is shut is not fetched.
  expect(asked).toEqual(["/api/v1/evidence/20261125T075900-CHAIN/picture CANARY-second"]);
});

test("says that there is no evidence", async () => {
  await openAt("/system", dashboard());
  expect(await screen.findByText(/No sign-in has failed so far/)).toBeVisible();
});

test("asks for everything again when the server is back", async () => {
  keys(key());
  const { stream } = await openAt("/system", dashboard());
  await screen.findByRole("row", { name: /grafana/ });
  stream().fail();
  keys(key({ name: "prometheus" }));
  await vi.waitFor(() => stream(), { timeout: 3_000 });
  stream().snapshot(dashboard());
  expect(await screen.findByRole("row", { name: /prometheus/ })).toBeVisible();
});

test.each([
  ["for the first time", "/"],
  ["once more", "/system"],
])("the evidence of one failure is a press away from its card: %s", async (_, first) => {
  const scrolled = vi.fn();
  Element.prototype.scrollIntoView = function () {
    scrolled(this.id);
  };
  const older = { ...KEPT, id: "20261124T075900-PRIMARY", api: "PRIMARY" };
  evidence(KEPT, older);
  const last_failure = failure({ evidence: `/data/evidence/${older.id}.json` });
  const { user } = await openAt(first, dashboard({ apis: [missing("PRIMARY", { last_failure })] }));
  // Where it was looked at before, it is there at once.
  if (first !== "/") await screen.findByText("PRIMARY", { selector: "summary strong" });
  await user.click(screen.getByRole("link", { name: "Dashboard" }));
  const look = await screen.findByRole("link", { name: "Look at what was kept" });
  const onMain = vi.fn();
  screen.getByRole("main").addEventListener("focus", onMain);
  await user.click(look);
  const summary = (await screen.findByText("PRIMARY", { selector: "summary strong" }))
    .parentElement;
  expect(summary).toHaveFocus();
  expect(onMain).not.toHaveBeenCalled();
  expect(summary?.parentElement).toHaveAttribute("open");
  expect(scrolled).toHaveBeenCalledWith(`evidence-${older.id}`);
});

test("evidence that is kept no longer says so", async () => {
  evidence(KEPT);
  await openAt("/system#evidence-older", dashboard());
  expect(await screen.findByText(/is gone: the newest twenty are kept/)).toBeVisible();
  expect(screen.getByRole("heading", { name: "Evidence of failed sign-ins" })).toHaveFocus();
});
