// One API: how its token stands, until when, and what became of the last sign-in.

import { Badge, Button, Paper } from "@mantine/core";
import { Link } from "@tanstack/react-router";
import type { Api } from "../api/types";
import { idOf, placeOf } from "../system/evidence";
import { useNow } from "../time/clock";
import { istTime, unixOf } from "../time/ist";
import { Ago, Countdown } from "../time/When";
import { isSame, useClosure } from "./closure";
import { isDead, lookOf, statusAt } from "./status";

interface Props {
  api: Api;
  isLive: boolean;
  /** Why nothing can be started now, or null. */
  refusal: string | null;
  /** Whether only a force can begin a sign-in now. */
  isClosed: boolean;
  onGenerate: () => void;
  onForce: () => void;
}

export function ApiCard({ api, isLive, refusal, isClosed, onGenerate, onForce }: Props) {
  const now = useNow();
  const look = lookOf(api, isLive, now);
  const failure = api.last_failure;
  const { closedBy, isWaitedFor } = useClosure(api.account);
  const isToldAbove = isSame(failure, closedBy);
  return (
    <Paper component="li" withBorder p="sm" className="card">
      <div className="row card-head">
        <h3>{api.api}</h3>
        <Badge
          color={look.color}
          variant="filled"
          leftSection={<span aria-hidden="true">{look.sign}</span>}
          tt="none"
        >
          {look.word}
        </Badge>
      </div>
      <Life api={api} />
      <dl className="facts">
        <dt>Checked</dt>
        <dd>{api.checked_at ? <Ago unix={unixOf(api.checked_at)} /> : "never"}</dd>
        <dt>Generation</dt>
        <dd>{api.generation ?? "–"}</dd>
      </dl>
      {api.check_failure && (
        <p className="failure">
          <strong>{api.check_failure.summary}.</strong> {api.check_failure.next}
        </p>
      )}
      {failure && (
        <p className="failure">
          <strong>Last sign-in failed: {failure.summary}.</strong>
          {isToldAbove ? "" : ` ${failure.detail}${isWaitedFor ? "" : ` ${failure.next}`}`}
          {failure.evidence && (
            <>
              {" "}
              <Link to="/system" hash={placeOf(idOf(failure.evidence))}>
                Look at what was kept
              </Link>
            </>
          )}
        </p>
      )}
      <Button
        size="xs"
        variant="default"
        disabled={refusal !== null}
        aria-describedby={refusal === null && !isClosed ? undefined : "why-not"}
        onClick={isDead(api, now) && !isClosed ? onGenerate : onForce}
      >
        {actionOf(api.api, isDead(api, now), isClosed)}
      </Button>
    </Paper>
  );
}

/** Three dots where the reason is asked for first. */
function actionOf(name: string, isDead: boolean, isClosed: boolean): string {
  if (!isDead) return `Replace ${name} …`;
  return isClosed ? `Force ${name} …` : `Generate ${name}`;
}

/** How long the token lives, or since when there is none; always of one height. */
function Life({ api }: { api: Api }) {
  const now = useNow();
  const end = api.valid_until_unix;
  if (end && !isDead(api, now)) return <Countdown unix={end} />;
  return (
    <p className="countdown">
      <span className="countdown-digits">No token</span>{" "}
      {end && statusAt(api, now) === "expired" ? `since ${istTime(end, now)}` : "to use"}
    </p>
  );
}
