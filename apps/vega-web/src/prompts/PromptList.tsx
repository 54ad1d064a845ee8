// What the human is asked or told now, in the order in which it was asked. Each question is a form of its own.

import { useEffect, useRef } from "react";
import type { Prompt, Run, Snapshot } from "../api/types";
import { Countdown } from "../time/When";
import { isTyping, useKeyboardWatch } from "./keyboard";
import { LinkPrompt } from "./LinkPrompt";
import { titleOf } from "./labels";
import { PlanPrompt } from "./PlanPrompt";
import { SecondFactorPrompt } from "./SecondFactorPrompt";

/** Where the questions of a run are asked that this server does not carry out. */
function AskedElsewhere({ at }: { at: string | null | undefined }) {
  if (!at) return <>Another process carries out this run: it asks its questions there.</>;
  return (
    <>
      Another server carries out this run. Answer its questions at <a href={`${at}/`}>{at}</a>.
    </>
  );
}

export function PromptList({ dashboard, isLive }: { dashboard: Snapshot; isLive: boolean }) {
  useKeyboardWatch();
  const { run, prompts } = dashboard;
  if (!run?.under_way) return null;
  if (prompts.length === 0) {
    return (
      <section className="panel no-prompt" aria-label="Nothing is asked">
        <p>
          {run.elsewhere ? (
            <AskedElsewhere at={run.asks_at} />
          ) : (
            "Nothing is asked of you now. What you are needed for stands here."
          )}
        </p>
      </section>
    );
  }
  return (
    <div className="stack">
      {prompts.map((prompt) => (
        <PromptSection key={prompt.id} prompt={prompt} run={run} isLive={isLive} />
      ))}
    </div>
  );
}

interface Props {
  prompt: Prompt;
  run: Run;
  isLive: boolean;
}

function PromptSection(props: Props) {
  const { prompt } = props;
  const section = useRef<HTMLElement>(null);
  useEffect(() => takeFreeFocus(section.current), []);
  return (
    <section ref={section} tabIndex={-1} className="prompt" aria-labelledby={`prompt-${prompt.id}`}>
      <div className="row top">
        <div role="alert" className="grow">
          <h2 id={`prompt-${prompt.id}`}>
            <span aria-hidden="true">☞</span> {titleOf(prompt)}
          </h2>
          <p>{prompt.words}</p>
        </div>
        <Countdown unix={prompt.deadline_unix} />
      </div>
      <Question {...props} />
    </section>
  );
}

/**
 * Nobody's typing is broken into, also where their field went away because the question was answered elsewhere: the rest of
 * an OTP is no PIN. But whoever answered the last question here can go on with the keyboard alone.
 */
function takeFreeFocus(section: HTMLElement | null) {
  if (isTyping()) return;
  const { activeElement } = document;
  const isFree = activeElement === null || activeElement === document.body;
  if (!isFree && !activeElement.matches(":disabled")) return;
  const field = section?.querySelector<HTMLElement>("input");
  (field ?? section)?.focus();
}

function Question({ prompt, run, isLive }: Props) {
  switch (prompt.kind) {
    case "confirm":
    case "confirm_again":
      return <PlanPrompt prompt={prompt} run={run.id} isLive={isLive} />;
    case "otp":
    case "pin":
      return <SecondFactorPrompt prompt={prompt} kind={prompt.kind} run={run.id} isLive={isLive} />;
    case "link":
      return <LinkPrompt prompt={prompt} run={run.id} isLive={isLive} />;
    case "window":
      // Done in the browser window: there is nothing to answer here.
      return null;
  }
}
