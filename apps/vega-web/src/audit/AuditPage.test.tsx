// The audit page as an operator uses it: reads, filters, goes on, checks the trail, follows what happens.

import { screen, waitFor, within } from "@testing-library/react";
import { HttpResponse, http } from "msw";
import { expect, test, vi } from "vitest";
import { keepSessionSecret } from "../api/session";
import type { Entry } from "../api/types";
import type {
  GetAuditVerdictData,
  GetAuditVerdictResponses,
  ListAuditData,
  ListAuditResponses,
} from "../generated/client/types.gen";
import { openAt, openConsole } from "../testing/console";
import { account, api, dashboard, MORNING, RUN } from "../testing/dashboard";
import { network, refused, signedOut, when } from "../testing/network";

function entry(id: number, changes: Partial<Entry> = {}): Entry {
  return {
    id,
    at: "2026-11-25T07:59:00+05:30",
    at_unix: MORNING - 60,
    kind: "token_stored",
    account: "default",
    api: "PRIMARY",
    run: RUN,
    detail: `entry ${id}`,
    ...changes,
  };
}

/** Answers with these entries, two at a time, and says with which queries it was asked. */
function trail(entries: Entry[]) {
  const queries: Record<string, string>[] = [];
  network.use(
    when<ListAuditData, ListAuditResponses>("get", "/api/v1/audit", ({ query }) => {
      queries.push(Object.fromEntries(query));
      const after = Number(query.get("after") ?? Infinity);
      const rest = entries.filter((one) => one.id < after);
      const page = rest.slice(0, 2);
      return [200, { v: 1, entries: page, next: rest.length > 2 ? (page[1]?.id ?? null) : null }];
    }),
  );
  return queries;
}

function chain(changes: Partial<GetAuditVerdictResponses[200]> = {}) {
  network.use(
    when<GetAuditVerdictData, GetAuditVerdictResponses>("get", "/api/v1/audit/verdict", () => [
      200,
      {
        v: 1,
        intact: true,
        entries: 1234,
        checkpoints: 1,
        other_checkpoints: 0,
        rows: [],
        ...changes,
      },
    ]),
  );
}

async function rows() {
  const table = within(await screen.findByRole("table", { name: "Entries, newest first" }));
  return table.getAllByRole("row").slice(1);
}

test("shows what happened, newest first, and goes on to older entries", async () => {
  chain();
  const queries = trail([entry(9), entry(7, { api: null, run: null, account: null }), entry(5)]);
  const { user } = await openAt("/audit", dashboard());
  expect((await rows()).map((row) => row.textContent)).toEqual([
    expect.stringMatching(
      /25 Nov 2026, 07:59:00 IST 1 min agoToken storedPRIMARY default .*entry 9/,
    ),
    expect.stringMatching(/Token stored–entry 7/),
  ]);
  await user.click(screen.getByRole("button", { name: "Show older entries" }));
  await waitFor(async () => expect(await rows()).toHaveLength(3));
  expect(screen.getByText("That is all.")).toBeVisible();
  expect(queries.at(0)).toEqual({ order: "newest" });
  expect(queries.at(-1)).toEqual({ order: "newest", after: "7" });
});

test("finds what is about an account's analytics token", async () => {
  chain();
  const queries = trail([entry(9, { api: "@default" })]);
  const analytics = { status: "valid" as const, servable: true };
  const { user } = await openAt("/audit", dashboard({ accounts: [account({ analytics })] }));
  await rows();
  await user.selectOptions(screen.getByLabelText("API"), "Analytics token of default");
  await waitFor(() => expect(queries.at(-1)).toEqual({ order: "newest", api: "@default" }));
});

test("searches and filters; the search stands in the address", async () => {
  chain();
  const queries = trail([entry(9)]);
  const { user, router } = await openAt("/audit", dashboard());
  await rows();
  await user.type(screen.getByLabelText("Words"), "throttled");
  await waitFor(() => expect(queries.at(-1)).toEqual({ order: "newest", q: "throttled" }));
  await user.selectOptions(screen.getByLabelText("API"), "CHAIN");
  await user.selectOptions(screen.getByLabelText("What happened"), "OTP requested in window");
  const search = { q: "throttled", api: "CHAIN", kind: "otp_requested_in_window" };
  await waitFor(() => expect(queries.at(-1)).toEqual({ order: "newest", ...search }));
  expect(router.state.location.search).toEqual(search);
  await user.click(screen.getByRole("button", { name: "Clear" }));
  await waitFor(() => expect(queries.at(-1)).toEqual({ order: "newest" }));
  expect(screen.getByLabelText("Words")).toHaveValue("");
});

test("the file holds what is looked for, under the server's name for it", async () => {
  chain();
  trail([entry(9)]);
  const asked: Request[] = [];
  network.use(
    http.get(`${location.origin}/api/v1/audit/export`, ({ request }) => {
      asked.push(request);
      const headers = { "Content-Disposition": 'attachment; filename="vega-audit-2026-11-25.csv"' };
      return new HttpResponse("id,at\r\n9,now\r\n", { headers });
    }),
  );
  const saved: Blob[] = [];
  vi.stubGlobal(
    "URL",
    class extends URL {
      static override createObjectURL(file: Blob) {
        saved.push(file);
        return "blob:made-up";
      }
    },
  );
  const clicked: string[] = [];
  vi.spyOn(HTMLAnchorElement.prototype, "click").mockImplementation(function (
    this: HTMLAnchorElement,
  ) {
    clicked.push(`${this.download} ${this.href}`);
  });
  keepSessionSecret("CANARY-second");
  const { user } = await openAt("/audit?api=CHAIN&from=2026-11-24", dashboard());
  await rows();
  await user.click(screen.getByRole("button", { name: "Export CSV" }));
  await waitFor(() => expect(clicked).toEqual(["vega-audit-2026-11-25.csv blob:made-up"]));
  expect(await saved[0]?.text()).toBe("id,at\r\n9,now\r\n");
  const [request] = asked;
  expect(request?.headers.get("x-vega-session")).toBe("CANARY-second");
  expect(Object.fromEntries(new URL(request?.url ?? "").searchParams)).toEqual({
    format: "csv",
    api: "CHAIN",
    since: "2026-11-24T00:00:00+05:30",
  });
});

test("a file that is refused is no file", async () => {
  chain();
  trail([entry(9)]);
  network.use(when("get", "/api/v1/audit/export", () => refused(503, "storage", "Not now.")));
  const { user } = await openAt("/audit", dashboard());
  await rows();
  await user.click(screen.getByRole("button", { name: "Export JSON" }));
  expect(await screen.findByText("Not now.")).toBeVisible();
});

test("what was cleared while it was typed is not looked for", async () => {
  chain();
  const queries = trail([entry(9)]);
  const { user, router } = await openAt("/audit?api=CHAIN", dashboard());
  await rows();
  await user.type(screen.getByLabelText("Words"), "x");
  await user.click(screen.getByRole("button", { name: "Clear" }));
  await waitFor(() => expect(queries.at(-1)).toEqual({ order: "newest" }));
  await new Promise((done) => setTimeout(done, 600));
  expect(router.state.location.search).toEqual({});
});

test("an address with a search opens with it", async () => {
  chain();
  const queries = trail([]);
  await openAt("/audit?q=9876&api=CHAIN&kind=nonsense", dashboard());
  expect(await screen.findByText(/No entry fits/)).toBeVisible();
  expect(queries[0]).toEqual({ order: "newest", q: "9876", api: "CHAIN" });
  expect(screen.getByLabelText("Words")).toHaveValue("9876");
});

test("one run's entries are a press away", async () => {
  chain();
  const queries = trail([entry(9)]);
  const { user } = await openAt("/audit", dashboard());
  await user.click(await screen.findByRole("button", { name: `run …${RUN.slice(-6)}` }));
  await waitFor(() => expect(queries.at(-1)).toEqual({ order: "newest", run: RUN }));
});

test("says that the audit trail is intact, or where it is broken", async () => {
  chain();
  trail([]);
  const { user } = await openAt("/audit", dashboard());
  expect(await screen.findByText(/The audit trail is intact: 1,234 entries/)).toBeVisible();
  expect(screen.getByText("Nothing is on record yet.")).toBeVisible();
  const fault = { kind: "edited", entry: 42, detail: "Entry 42 was edited." } as const;
  chain({ intact: false, entries: 41, fault });
  await user.click(screen.getByRole("button", { name: "Check the audit trail again" }));
  const broken = await screen.findByRole("alert");
  expect(broken).toHaveTextContent("The audit trail is broken");
  expect(broken).toHaveTextContent("Entry 42 was edited.The first 41 entries fit.");
  expect(screen.queryByText(/The audit trail is intact/)).not.toBeInTheDocument();
});

test("a trail that could not be checked again is not shown as intact", async () => {
  chain();
  trail([]);
  const { user } = await openAt("/audit", dashboard());
  expect(await screen.findByText(/The audit trail is intact/)).toHaveClass("intact");
  network.use(when("get", "/api/v1/audit/verdict", () => refused(503, "storage", "Not now.")));
  await user.click(screen.getByRole("button", { name: "Check the audit trail again" }));
  const last = await screen.findByText(/was intact when last checked: 1,234 entries/);
  expect(last).not.toHaveClass("intact");
  expect(screen.getByText(/^Checked/)).toHaveTextContent("08:00:");
  expect(screen.queryByText(/The audit trail is intact/)).not.toBeInTheDocument();
});

test("without the server the trail is not shown as intact", async () => {
  chain();
  trail([]);
  network.use(when("get", "/api/v1/session", () => Response.error()));
  const { stream } = await openAt("/audit", dashboard());
  await screen.findByText(/The audit trail is intact/);
  stream().fail();
  expect(await screen.findByText(/was intact when last checked/)).toHaveClass("dimmed");
});

test("is read once when it opens", async () => {
  chain();
  const queries = trail([entry(9)]);
  await openAt("/audit", dashboard());
  await rows();
  await new Promise((resolve) => setTimeout(resolve, 800));
  expect(queries).toHaveLength(1);
});

test("what is new does not read all again that was gone through", async () => {
  chain();
  trail([entry(9), entry(7), entry(5)]);
  const { user, stream } = await openAt("/audit", dashboard());
  await user.click(await screen.findByRole("button", { name: "Show older entries" }));
  await waitFor(async () => expect(await rows()).toHaveLength(3));
  const queries = trail([entry(11), entry(9), entry(7), entry(5)]);
  stream().change({ event: "token", data: api("PRIMARY", { generation: 4 }) });
  const show = await screen.findByRole("button", { name: "Show what is new" });
  expect(queries).toEqual([]);
  expect(await rows()).toHaveLength(3);
  await user.click(show);
  expect(await screen.findByText("entry 11")).toBeVisible();
  expect(queries).toEqual([{ order: "newest" }]);
  expect(await rows()).toHaveLength(2);
  expect(screen.queryByRole("button", { name: "Show what is new" })).not.toBeInTheDocument();
});

test("follows what happens", async () => {
  chain();
  trail([entry(7)]);
  const { stream } = await openAt("/audit", dashboard());
  expect(await rows()).toHaveLength(1);
  trail([entry(9), entry(7)]);
  stream().change({ event: "token", data: api("PRIMARY", { generation: 4 }) });
  await waitFor(async () => expect(await rows()).toHaveLength(2), { timeout: 5_000 });
});

test("nothing that a broker said is run", async () => {
  chain();
  trail([entry(9, { detail: "<img src=x onerror=boom()>" })]);
  await openAt("/audit", dashboard());
  expect(await screen.findByText("<img src=x onerror=boom()>")).toBeVisible();
  expect(document.querySelector("main img")).toBeNull();
});

test("a trail that cannot be read is said", async () => {
  const fails = () => refused(503, "storage", "The database does not answer.");
  network.use(when("get", "/api/v1/audit", fails), when("get", "/api/v1/audit/verdict", fails));
  await openAt("/audit", dashboard());
  expect(await screen.findByText("The trail could not be read")).toBeVisible();
  expect(await screen.findByText("The trail could not be checked")).toBeVisible();
  expect(screen.getAllByText("The database does not answer.")).toHaveLength(2);
});

test("a session that is over leads to the way back", async () => {
  network.use(
    when("get", "/api/v1/audit", signedOut),
    when("get", "/api/v1/audit/verdict", signedOut),
  );
  // No stream is waited for: the refusal may be there before it is.
  openConsole({ address: "/audit" });
  expect(await screen.findByRole("heading", { name: "You are signed out" })).toBeVisible();
});
