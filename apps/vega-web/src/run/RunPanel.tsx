// The run that is under way, or the last one: where each step stands, how long it takes, and how it is ended. It is shown
// from the dashboard alone, so a reload or a second device shows the same.

import { Alert, Button, Progress } from "@mantine/core";
import { useState } from "react";
import type { Run } from "../api/types";
import { useCancelRun } from "../api/useCalls";
import { Failed } from "../page/Failed";
import { useNow } from "../time/clock";
import { lengthInWords, unixOf } from "../time/ist";
import { Ago, Until } from "../time/When";
import { runWords } from "./labels";
import { StepList } from "./StepList";

export function RunPanel({ run, isLive }: { run: Run; isLive: boolean }) {
  return (
    <section aria-labelledby="run" className="stack panel">
      <div className="row">
        <h2 id="run">{run.under_way ? "Run under way" : "Last run"}</h2>
        {run.under_way && <CancelRun key={run.id} run={run} isLive={isLive} />}
      </div>
      <p role="status">
        <strong>{runWords(run.state)}.</strong> {progress(run)}
      </p>
      {run.steps.length > 0 && <RunProgress run={run} isLive={isLive} />}
      <RunTimes run={run} />
      {run.outcome && (
        <Alert
          role="status"
          color={run.state === "not_needed" ? "blue" : "orange"}
          variant="outline"
          icon="i"
        >
          {run.outcome.detail}
        </Alert>
      )}
      {run.wait && (
        <Alert
          role="group"
          color="orange"
          variant="outline"
          icon="◷"
          title={`Account ${run.wait.account} waits`}
        >
          <p>It is {run.wait.why}</p>
          <p>
            The run goes on by itself at <Until unix={run.wait.until_unix} />, and should be done at{" "}
            <Until unix={run.wait.finish_unix} />. You need not stay until it goes on.
          </p>
        </Alert>
      )}
      <NoticeList notices={run.notices} />
      <StepList steps={run.steps} isUnderWay={run.under_way} isLive={isLive} />
    </section>
  );
}

/** In its place as long as there is none. */
export function NoRun() {
  return (
    <section aria-labelledby="run" className="stack panel">
      <h2 id="run">No run yet</h2>
      <p>Here you follow Vega signing in, API by API, and answer what only you can answer.</p>
    </section>
  );
}

function made(run: Run): number {
  return run.steps.filter((step) => step.state === "done").length;
}

function progress(run: Run): string {
  return run.steps.length === 0 ? "" : `${made(run)} of ${run.steps.length} tokens made.`;
}

function RunProgress({ run, isLive }: { run: Run; isLive: boolean }) {
  return (
    <Progress
      value={(100 * made(run)) / run.steps.length}
      color={isLive ? colorOf(run) : "gray"}
      aria-label="Tokens made"
    />
  );
}

function colorOf(run: Run): string {
  if (run.under_way) return "indigo";
  return run.state === "completed" ? "teal.9" : "gray";
}

/** What the human should know, though nothing is asked. What is new is read aloud, and not how its time goes by. */
function NoticeList({ notices }: { notices: Run["notices"] }) {
  if (notices.length === 0) return null;
  return (
    <ul className="notices" aria-label="Notices" aria-live="polite" aria-relevant="additions">
      {notices.toReversed().map((notice) => (
        <li key={`${notice.at_unix} ${notice.api} ${notice.words}`}>
          <strong>{notice.api}</strong>, <Ago unix={notice.at_unix} />: {notice.words}
        </li>
      ))}
    </ul>
  );
}

function RunTimes({ run }: { run: Run }) {
  const now = useNow();
  // The plan did not know of a wait that came later; what waits has an estimate of its own.
  const finish = run.wait ? null : run.finish_unix;
  return (
    <p>
      {run.asked_by && `Asked for by ${run.asked_by}. `}
      {run.elsewhere && "Another process carries it out: answer its questions there. "}
      {run.under_way &&
        run.started_at_unix &&
        `Runs for ${lengthInWords(now - run.started_at_unix)}. `}
      {run.under_way && finish && finish > now && (
        <>
          Should be done at <Until unix={finish} />.
        </>
      )}
      {run.under_way && finish && finish <= now && "Takes longer than estimated."}
      {run.finished_at && (
        <>
          Ended <Ago unix={unixOf(run.finished_at)} />.
        </>
      )}
    </p>
  );
}

function CancelRun({ run, isLive }: { run: Run; isLive: boolean }) {
  const [question, setQuestion] = useState<"none" | "asked" | "let_run">("none");
  const cancel = useCancelRun(run.id);
  if (question !== "asked") {
    return (
      <Button
        size="xs"
        variant="default"
        autoFocus={question === "let_run"}
        disabled={!isLive}
        onClick={() => setQuestion("asked")}
      >
        Cancel the run …
      </Button>
    );
  }
  return (
    <div className="stack">
      <p>Tokens that are made stay. The rest can be taken up again today.</p>
      <div className="row">
        <Button size="xs" variant="default" autoFocus onClick={() => setQuestion("let_run")}>
          Let it run
        </Button>
        <Button
          size="xs"
          color="red"
          disabled={!isLive || cancel.isSuccess}
          loading={cancel.isPending}
          onClick={() => cancel.mutate(undefined)}
        >
          {cancel.isSuccess ? "It is ending …" : "Cancel the run"}
        </Button>
      </div>
      <Failed error={cancel.error} title="The run was not cancelled" />
    </div>
  );
}
