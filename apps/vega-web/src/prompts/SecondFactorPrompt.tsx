// The OTP or the PIN, as an alternative to typing it in the browser window. What is typed is masked, read once when it is
// sent, and wiped: it is in no state, no cache, no storage and no history of the browser. What are no six digits is sent
// nowhere and asked for again.

import { Button, TextInput } from "@mantine/core";
import { useState } from "react";
import type { Prompt } from "../api/types";
import { Failed } from "../page/Failed";
import { readSecondFactor } from "./secondFactor";
import { useAnswer } from "./useAnswer";

interface Props {
  prompt: Prompt;
  kind: "otp" | "pin";
  run: string;
  isLive: boolean;
}

export function SecondFactorPrompt({ prompt, kind, run, isLive }: Props) {
  const answer = useAnswer(run);
  const [problem, setProblem] = useState<string>();
  const word = kind === "otp" ? "OTP" : "PIN";
  return (
    <form
      className="stack"
      autoComplete="off"
      onSubmit={(event) => {
        event.preventDefault();
        const form = event.currentTarget;
        const typed = new FormData(form).get("digits");
        form.reset();
        if (typeof typed !== "string" || typed === "") return;
        const { digits, problem } = readSecondFactor(word, typed);
        setProblem(problem);
        if (digits === undefined) return;
        const body =
          kind === "otp"
            ? ({ kind, prompt: prompt.id, otp: digits } as const)
            : ({ kind, prompt: prompt.id, pin: digits } as const);
        answer.send(body);
      }}
    >
      <TextInput
        className="digits"
        name="digits"
        type="password"
        // No password: a browser offers to keep one.
        autoComplete="one-time-code"
        data-1p-ignore
        data-lpignore="true"
        inputMode="numeric"
        title="six digits"
        required
        error={problem}
        label={`${word}${prompt.account ? ` of account ${prompt.account}` : ""}`}
        description="Masked, passed on once, kept nowhere."
        disabled={!isLive || answer.isPending || answer.isSent}
      />
      <Button type="submit" disabled={!isLive || answer.isSent} loading={answer.isPending}>
        Send the {word}
      </Button>
      {answer.isSent && <p role="status">The {word} was passed on.</p>}
      <Failed error={answer.error} title={`The ${word} was not taken`} />
    </form>
  );
}
