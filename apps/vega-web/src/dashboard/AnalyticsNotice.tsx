// That an account's analytics token ends soon, or is worth nothing any more. One that is good needs no words here: System has it.

import { Alert } from "@mantine/core";
import type { Account } from "../api/types";
import { Stamp } from "../time/When";

export function AnalyticsNotice({ account }: { account: Account }) {
  const { analytics } = account;
  if (!analytics) return null;
  const wayOut = (
    <>
      Make a new one on Upstox's page, and give it to Vega:{" "}
      <code>vega adopt --analytics {account.account}</code>
    </>
  );
  if (analytics.status !== "valid" && analytics.status !== "unknown") {
    return (
      <Alert
        role="group"
        color="red"
        variant="outline"
        icon="■"
        title="The analytics token is dead"
      >
        Programs that only read get none for account {account.account}. {wayOut}
      </Alert>
    );
  }
  if (analytics.ends_within_days == null || analytics.valid_until_unix == null) return null;
  return (
    <Alert
      role="group"
      color="yellow"
      variant="outline"
      icon="!"
      title="The analytics token ends soon"
    >
      That of account {account.account} is valid until <Stamp unix={analytics.valid_until_unix} />.{" "}
      {wayOut}
    </Alert>
  );
}
