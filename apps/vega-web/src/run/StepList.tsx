// The steps of a run, one per API, in the order in which they are carried out.

import type { Step } from "../api/types";
import { useDashboardTime } from "../live/useDashboard";
import { Ago } from "../time/When";
import { skippedWords, stepLook } from "./labels";

interface Props {
  steps: Step[];
  isUnderWay: boolean;
  isLive: boolean;
}

export function StepList({ steps, isUnderWay, isLive }: Props) {
  if (steps.length === 0) return null;
  return (
    <>
      {!isLive && <LastSeen />}
      <ol className={isLive ? "steps" : "steps dimmed"} aria-label="Steps">
        {steps.map((step) => {
          const look = stepLook(step.state, isUnderWay);
          return (
            <li key={step.api} data-kind={isLive ? look.kind : "last_seen"}>
              <span className="step-sign" aria-hidden="true">
                {look.sign}
              </span>
              <span>
                <strong>{step.api}</strong> {look.word}
                {step.state === "skipped" && step.reason && `: ${skippedWords(step.reason)}`}
                {step.state === "failed" && (
                  <span className="failure">
                    : {step.summary}. {step.detail} {step.next}
                  </span>
                )}
              </span>
            </li>
          );
        })}
      </ol>
    </>
  );
}

function LastSeen() {
  return (
    <p className="dimmed">
      As last seen, at <Ago unix={useDashboardTime()} />:
    </p>
  );
}
