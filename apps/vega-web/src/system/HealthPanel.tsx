// Whether the server can do its work, what it works with, and how many OTPs each account may still ask for.

import { Alert, Badge, Loader } from "@mantine/core";
import { getSystem, said } from "../api/client";
import type { Account, System } from "../api/types";
import { useAnswered } from "../api/useAnswered";
import { useConnection } from "../live/useDashboard";
import { Failed } from "../page/Failed";
import { Stamp, Until } from "../time/When";

const ASK_AGAIN_MS = 10_000;

export function HealthPanel({ accounts }: { accounts: Account[] }) {
  const system = useAnswered(["system"], () => said(getSystem()), ASK_AGAIN_MS);
  const isLive = useConnection() === "live" && !system.isError;
  return (
    <section className="stack panel" aria-labelledby="health">
      <div className="row">
        <h2 id="health">Health</h2>
        {system.data && <HealthBadge health={isLive ? system.data.health.ready : null} />}
      </div>
      {system.isPending && <Loader aria-label="Asking the server how it is" />}
      <Failed error={system.error} title="The server did not say how it is" />
      {system.data?.health.storage_problem && (
        <Alert role="alert" color="red" variant="outline" icon="✕" title="The storage fails">
          {system.data.health.storage_problem}
        </Alert>
      )}
      {system.data && <Facts system={system.data} accounts={accounts} />}
    </section>
  );
}

/** `health`: whether it is ready, or null where the last word is old. */
function HealthBadge({ health }: { health: boolean | null }) {
  const [color, sign, word] =
    health === null
      ? ["gray.8", "…", "Not known"]
      : health
        ? ["teal.9", "✓", "Ready"]
        : ["red.9", "✕", "Not ready"];
  return (
    <Badge
      color={color}
      variant="filled"
      tt="none"
      leftSection={<span aria-hidden="true">{sign}</span>}
    >
      {word}
    </Badge>
  );
}

function Facts({ system, accounts }: { system: System; accounts: Account[] }) {
  const { database, key, sign_in } = system;
  return (
    <dl className="facts wide">
      <dt>Vega</dt>
      <dd>
        {system.version}, runs since <Stamp unix={system.started_at_unix} />
      </dd>
      <dt>Database</dt>
      <dd>
        <span className="code">{database.url}</span>
        {database.engine && ` – ${database.engine} ${database.engine_version ?? ""}`}
        {database.schema_version != null && `, schema ${database.schema_version}`}
      </dd>
      <dt>Sealing key</dt>
      <dd>
        {key.source === "file" ? "from the file" : "a credential of the service manager:"}{" "}
        <span className="code">{key.path}</span>, id <span className="code">{key.id}</span>
      </dd>
      {system.certificate && (
        <>
          <dt>Certificate</dt>
          <dd>
            <span className="code">{system.certificate.path}</span>
            {system.certificate.not_after_unix != null && (
              <>
                , valid until <Stamp unix={system.certificate.not_after_unix} />
              </>
            )}
          </dd>
        </>
      )}
      <dt>Sign-in</dt>
      <dd>{signInWords(sign_in)}</dd>
      {accounts.map((account) => (
        <Budget key={account.account} account={account} />
      ))}
      {accounts.map((account) => (
        <Analytics key={account.account} account={account} />
      ))}
    </dl>
  );
}

function signInWords(sign_in: System["sign_in"]): string {
  if (sign_in.route === "own-browser") return "in a browser of your own";
  if (sign_in.webdriver_url) return `in the browser behind ${sign_in.webdriver_url}`;
  const window = sign_in.headless ? "without a window" : "in a window on the desk";
  return `${sign_in.browser ?? "Chromium, as found on the path"}, ${window}`;
}

function Budget({ account }: { account: Account }) {
  return (
    <>
      <dt>OTPs of {account.account}</dt>
      <dd>
        {account.otp_presses_left} of {account.otp_budget} left
        {account.retry_at_unix && (
          <>
            , the next sign-in is possible at <Until unix={account.retry_at_unix} />
          </>
        )}
      </dd>
    </>
  );
}

function Analytics({ account }: { account: Account }) {
  const { analytics } = account;
  if (!analytics) return null;
  return (
    <>
      <dt>Analytics token of {account.account}</dt>
      <dd>
        {analytics.status}
        {analytics.valid_until_unix != null && (
          <>
            , until <Stamp unix={analytics.valid_until_unix} />
          </>
        )}
      </dd>
    </>
  );
}
