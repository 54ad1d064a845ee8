// The plan and the yes to it: which APIs and why, how many OTPs against the budget, when it is done, what the yes opens.

import { Alert, Button } from "@mantine/core";
import { useState } from "react";
import type { Plan, Prompt } from "../api/types";
import { Failed } from "../page/Failed";
import { causeWords } from "../run/labels";
import { useNow } from "../time/clock";
import { istTime, lengthInWords } from "../time/ist";
import { Until } from "../time/When";
import { useAnswer } from "./useAnswer";

interface Props {
  prompt: Prompt;
  run: string;
  isLive: boolean;
}

export function PlanPrompt({ prompt, run, isLive }: Props) {
  const answer = useAnswer(run);
  const plan = prompt.plan;
  const count = plan?.apis.length ?? 0;
  const isShut = !isLive || answer.isPending || answer.isSent;
  const [said, setSaid] = useState("");
  const say = (yes: boolean) => {
    setSaid(yes ? "yes" : "no");
    answer.send({ kind: "confirm", prompt: prompt.id, yes });
  };
  return (
    <div className="stack">
      {plan && <PlanFacts plan={plan} />}
      <div className="answers">
        <Button disabled={isShut} onClick={() => say(true)}>
          Yes, sign in for {count === 1 ? "1 API" : `${count} APIs`}
        </Button>
        <Button variant="default" disabled={isShut} onClick={() => say(false)}>
          No, do nothing
        </Button>
      </div>
      {answer.isSent && <p role="status">Your {said} was passed on.</p>}
      <Failed error={answer.error} title="Your answer was not taken" />
    </div>
  );
}

function PlanFacts({ plan }: { plan: Plan }) {
  return (
    <>
      <ul className="plan" aria-label="APIs of the plan">
        {plan.apis.map((api) => (
          <li key={api.api}>
            <strong>{api.api}</strong> ({api.account}): {causeWords(api.cause)}
            {api.unresolved && (
              <span className="failure">
                {" "}
                The outcome of its last sign-in is unresolved: {api.unresolved.summary}.{" "}
                {api.unresolved.detail} {api.unresolved.next}
              </span>
            )}
          </li>
        ))}
      </ul>
      <p>{presses(plan)}</p>
      <Finish plan={plan} />
      {plan.waits_until_unix && (
        <p>
          {plan.apis_later === plan.apis.length ? "Nothing" : "Not everything"} can begin at once:
          the rest goes on by itself from <Until unix={plan.waits_until_unix} />.
        </p>
      )}
      {plan.goes_on_with && (
        <p>
          Goes on with the run that broke off: {plan.goes_on_with.settled} of {plan.goes_on_with.of}{" "}
          were done.
        </p>
      )}
      {plan.force_reason && <p>Forced, because: {plan.force_reason}</p>}
      {plan.stopped.map((stop) => (
        <Alert
          role="group"
          key={stop.account}
          color="red"
          variant="outline"
          icon="■"
          title={`Your yes opens the stopped account ${stop.account} again`}
        >
          It was stopped because: {stop.failure.summary}. {stop.failure.detail} {stop.failure.next}
        </Alert>
      ))}
    </>
  );
}

/** A plan that begins with the yes is done the later the longer one waits with it. */
function Finish({ plan }: { plan: Plan }) {
  const now = useNow();
  const { finish_unix: finish, takes_seconds: takes, waits_until_unix: waits } = plan;
  if (finish == null || takes == null) return null;
  if (waits != null) {
    return (
      <p>
        Should be done at <Until unix={finish} />.
      </p>
    );
  }
  return (
    <p>
      Should be done at {istTime(now + takes, now)}, {lengthInWords(takes)} after your yes.
    </p>
  );
}

function presses(plan: Plan): string {
  const { otp_presses_at_least: least, otp_presses_at_most: most, otp_presses_left: left } = plan;
  if (least == null || most == null || left == null) return "";
  const range = least === most ? `${most}` : `${least} to ${most}`;
  return `Asks for ${range} ${most === 1 ? "OTP" : "OTPs"}; ${left} may be asked for now.`;
}
