// What the human is asked or told now, in the order in which it was asked. Each question is a form of its own.

import type { Prompt, Run, Snapshot } from "../api/types";
import { Countdown } from "../time/When";
import { LinkPrompt } from "./LinkPrompt";
import { NotifyButton } from "./NotifyButton";
import { PlanPrompt } from "./PlanPrompt";
import { SecondFactorPrompt } from "./SecondFactorPrompt";
import { titleOf } from "./words";

export function PromptList({ board, isLive }: { board: Snapshot; isLive: boolean }) {
  const { run, prompts } = board;
  if (!run || prompts.length === 0) return null;
  return (
    <div className="stack">
      {prompts.map((prompt) => (
        <section key={prompt.id} className="prompt" aria-labelledby={`prompt-${prompt.id}`}>
          <div className="row top">
            <div role="alert" className="grow">
              <h2 id={`prompt-${prompt.id}`}>
                <span aria-hidden="true">☞</span> {titleOf(prompt)}
              </h2>
              <p>{prompt.words}</p>
            </div>
            <Countdown unix={prompt.deadline_unix} />
          </div>
          <Question prompt={prompt} run={run} isLive={isLive} />
        </section>
      ))}
      <NotifyButton />
    </div>
  );
}

function Question({ prompt, run, isLive }: { prompt: Prompt; run: Run; isLive: boolean }) {
  switch (prompt.kind) {
    case "confirm":
    case "confirm_again":
      return <PlanPrompt prompt={prompt} run={run.id} isLive={isLive} />;
    case "otp":
    case "pin":
      return <SecondFactorPrompt prompt={prompt} kind={prompt.kind} run={run.id} isLive={isLive} />;
    case "link":
      return <LinkPrompt prompt={prompt} run={run.id} isLive={isLive} />;
    default:
      // Done in the browser window: there is nothing to answer here.
      return null;
  }
}
