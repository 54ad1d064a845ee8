// Whether the audit trail is what was written: checked when the page opens, and when asked.

import { Alert, Button } from "@mantine/core";
import { getAuditVerdict, said } from "../api/client";
import { useAnswered } from "../api/useAnswered";
import { useConnection } from "../live/useBoard";
import { Failed } from "../page/Failed";
import { serverTimeOf } from "../time/clock";
import { Stamp } from "../time/When";

export function ChainState() {
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
        Check the chain again
      </Button>
    </div>
  );
}

interface VerdictProps {
  whole: boolean;
  entries: number;
  detail?: string | null;
  /** Whether it is the last word, and could be had again. */
  isCurrent: boolean;
}

function Verdict({ whole, entries, detail, isCurrent }: VerdictProps) {
  if (whole && !isCurrent) {
    return (
      <p role="status" className="dimmed">
        The chain was whole when last checked: {entries.toLocaleString("en-IN")}{" "}
        {entries === 1 ? "entry was" : "entries were"} what was written.
      </p>
    );
  }
  if (whole) {
    return (
      <p role="status" className="whole">
        <span aria-hidden="true">✓</span> The chain is whole: {entries.toLocaleString("en-IN")}{" "}
        {entries === 1 ? "entry is" : "entries are"} what was written, none is missing.
      </p>
    );
  }
  return (
    <Alert role="alert" color="red" variant="outline" icon="✕" title="The chain is broken">
      <p>{detail}</p>
      <p>
        The first {entries.toLocaleString("en-IN")} entries fit. Keep the database and its key as
        they are, and compare them with a backup.
      </p>
    </Alert>
  );
}
