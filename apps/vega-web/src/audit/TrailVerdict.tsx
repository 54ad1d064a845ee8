// Whether the audit trail is what was written: checked when the page opens, and when asked.

import { Alert, Button } from "@mantine/core";
import { getAuditVerdict, said } from "../api/client";
import type { AuditVerdict } from "../api/types";
import { useAnswered } from "../api/useAnswered";
import { useConnection } from "../live/useDashboard";
import { Failed } from "../page/Failed";
import { serverTimeOf } from "../time/clock";
import { Stamp } from "../time/When";

export function TrailVerdict() {
  const verdict = useAnswered(["audit", "verdict"], () => said(getAuditVerdict()));
  const isCurrent = useConnection() === "live" && !verdict.isError;
  return (
    <div className="row">
      <div className="grow">
        {verdict.data && <Verdict {...verdict.data} isCurrent={isCurrent} />}
        {verdict.data && (
          <p className="dimmed">
            Checked <Stamp unix={serverTimeOf(verdict.dataUpdatedAt)} />
          </p>
        )}
        {verdict.isPending && <p role="status">Checking every entry …</p>}
        <Failed error={verdict.error} title="The trail could not be checked" />
      </div>
      <Button
        size="xs"
        variant="default"
        loading={verdict.isFetching}
        onClick={() => void verdict.refetch()}
      >
        Check the audit trail again
      </Button>
    </div>
  );
}

/** `isCurrent`: whether it is the last word, and could be had again. */
function Verdict({ isCurrent, ...verdict }: AuditVerdict & { isCurrent: boolean }) {
  const entries = verdict.entries.toLocaleString("en-IN");
  if (verdict.intact && !isCurrent) {
    return (
      <p role="status" className="dimmed">
        The audit trail was intact when last checked: {entries}{" "}
        {verdict.entries === 1 ? "entry was" : "entries were"} what was written.
      </p>
    );
  }
  if (verdict.intact) {
    return (
      <p role="status" className="intact">
        <span aria-hidden="true">✓</span> The audit trail is intact: {entries}{" "}
        {verdict.entries === 1 ? "entry is" : "entries are"} what was written, none is missing.
      </p>
    );
  }
  const faults = [
    verdict.fault?.detail,
    verdict.database,
    ...verdict.rows.map((row) => row.detail),
  ];
  return (
    <Alert
      role="alert"
      color="red"
      variant="outline"
      icon="✕"
      title={verdict.fault ? "The audit trail is broken" : "The database was changed outside Vega"}
    >
      {faults.map((fault) => fault && <p key={fault}>{fault}</p>)}
      <p>
        The first {entries} entries fit. Keep the database and its key as they are, and compare them
        with a backup.
      </p>
    </Alert>
  );
}
