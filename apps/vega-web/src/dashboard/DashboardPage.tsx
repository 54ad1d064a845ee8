// The dashboard: the answer, the one action, what the human is asked, the run, and every API by its account.

import { Button, Loader } from "@mantine/core";
import { useState } from "react";
import type { RunRequest, Snapshot } from "../api/types";
import { useStartRun, useVerify } from "../api/useCalls";
import type { Connection } from "../live/stream";
import { useConnection, useDashboard } from "../live/useDashboard";
import { Failed } from "../page/Failed";
import { NotifyButton } from "../prompts/NotifyButton";
import { PromptList } from "../prompts/PromptList";
import { NoRun, RunPanel } from "../run/RunPanel";
import { useNow } from "../time/clock";
import { istTime } from "../time/ist";
import { AccountNotice } from "./AccountNotice";
import { AnalyticsNotice } from "./AnalyticsNotice";
import { ApiCard } from "./ApiCard";
import { BehindNotice } from "./BehindNotice";
import { ForceDialog } from "./ForceDialog";
import { isDead } from "./status";
import { VerdictBanner } from "./VerdictBanner";
import { verdictOf } from "./verdict";

export function DashboardPage() {
  const dashboard = useDashboard();
  const connection = useConnection();
  const now = useNow();
  return (
    <>
      <VerdictBanner verdict={verdictOf(dashboard, connection, now)} />
      {dashboard === null ? (
        connection === "connecting" && <Loader aria-label="Asking the server" />
      ) : (
        <Dashboard dashboard={dashboard} connection={connection} />
      )}
    </>
  );
}

/** Why nothing can be started now, or null. */
function refusalOf(dashboard: Snapshot, connection: Connection): string | null {
  if (connection === "connecting") return "Asking the server …";
  if (connection !== "live") return "The server does not answer.";
  if (dashboard.run?.under_way) return "A run is under way.";
  return null;
}

const DAY = 86_400;

/** Why nobody can be signed in for without a force, or null: around 03:30 IST, at the same times each day. */
function closedOf(dashboard: Snapshot, now: number): string | null {
  const since = (((now - dashboard.closed_from_unix) % DAY) + DAY) % DAY;
  const length = dashboard.closed_until_unix - dashboard.closed_from_unix;
  if (since >= length) return null;
  const opens = istTime(now - since + length, now);
  return `Sign-ins are closed around 03:30 IST, when a new token would expire at once. They open at ${opens}.`;
}

function actionOf(dead: number): string {
  if (dead === 0) return "Generate tokens";
  return dead === 1 ? "Generate 1 token" : `Generate ${dead} tokens`;
}

function Dashboard({ dashboard, connection }: { dashboard: Snapshot; connection: Connection }) {
  const [forced, setForced] = useState<string | null>(null);
  const start = useStartRun();
  const verify = useVerify();
  const isLive = connection === "live";
  const refusal = refusalOf(dashboard, connection);
  const now = useNow();
  const dead = dashboard.apis.filter((api) => isDead(api, now));
  const begin = (request: RunRequest) => {
    verify.reset();
    start.mutate(request);
  };
  const closed = closedOf(dashboard, now);
  const why = refusal ?? closed ?? (dead.length === 0 ? "No token is dead." : null);
  return (
    <>
      <div className="actions">
        <Button
          size="md"
          disabled={why !== null}
          loading={start.isPending}
          aria-describedby="why-not"
          onClick={() => begin({})}
        >
          {actionOf(dead.length)}
        </Button>
        <Button
          size="md"
          variant="default"
          disabled={refusal !== null}
          loading={verify.isPending}
          aria-describedby="why-not"
          onClick={() => {
            start.reset();
            verify.mutate(undefined);
          }}
        >
          Verify now
        </Button>
        <NotifyButton />
        <span id="why-not">{why}</span>
      </div>
      <Failed error={start.error} title="No run was started" />
      <Failed error={verify.error} title="The tokens were not verified" />
      <BehindNotice consumers={dashboard.consumers} />
      <div className="dashboard">
        <div className="stack side">
          <PromptList dashboard={dashboard} isLive={isLive} />
          {dashboard.run ? <RunPanel run={dashboard.run} isLive={isLive} /> : <NoRun />}
        </div>
        <div className="stack">
          {dashboard.accounts.map((account) => {
            const apis = dashboard.apis.filter((api) => api.account === account.account);
            return (
              <section
                key={account.account}
                aria-label={`Account ${account.account}`}
                className="account"
              >
                <div className="row">
                  <h2>Account {account.account}</h2>
                  <span>
                    {account.otp_presses_left} of {account.otp_budget} OTPs left
                  </span>
                </div>
                <AccountNotice account={account} apis={apis} />
                <AnalyticsNotice account={account} />
                <ul className="cards">
                  {apis.map((api) => (
                    <ApiCard
                      key={api.api}
                      api={api}
                      isLive={isLive}
                      refusal={refusal}
                      isClosed={closed !== null}
                      onGenerate={() => begin({ apis: [api.api] })}
                      onForce={() => setForced(api.api)}
                    />
                  ))}
                </ul>
              </section>
            );
          })}
        </div>
      </div>
      <ForceDialog
        api={forced}
        isDead={dead.some((api) => api.api === forced)}
        onClose={() => setForced(null)}
        onForce={(reason) => {
          if (forced !== null) begin({ apis: [forced], force: true, reason });
          setForced(null);
        }}
      />
    </>
  );
}
