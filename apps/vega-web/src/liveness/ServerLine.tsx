// One line that says whether the server answers, kept current while the page is open.
//
// Only status 200 from `/livez` counts as up. A refused connection, any other status
// and no answer in time are the same to the reader: the server does not answer.

import { useEffect, useState } from "react";

type Answer = "up" | "down";
type Liveness = "asking" | Answer;

const GIVE_UP_AFTER_MS = 4_000;
const ASK_AGAIN_AFTER_MS = 5_000;

const WORDS: Record<Liveness, string> = {
  asking: "Asking the server…",
  up: "Server is up",
  down: "Server does not answer",
};

export function ServerLine() {
  const liveness = useLiveness();
  return (
    <p role="status" className="server-line" data-liveness={liveness}>
      {WORDS[liveness]}
    </p>
  );
}

function useLiveness(): Liveness {
  const [liveness, setLiveness] = useState<Liveness>("asking");

  useEffect(() => {
    const leaving = new AbortController();
    let next: ReturnType<typeof setTimeout> | undefined;

    async function ask() {
      const answer = await askServer(leaving.signal);
      if (leaving.signal.aborted) return;
      setLiveness(answer);
      next = setTimeout(ask, ASK_AGAIN_AFTER_MS);
    }

    void ask();
    return () => {
      leaving.abort();
      clearTimeout(next);
    };
  }, []);

  return liveness;
}

async function askServer(leaving: AbortSignal): Promise<Answer> {
  // A timer of our own, not `AbortSignal.timeout`, so that tests can move the clock.
  const tooLate = new AbortController();
  const timer = setTimeout(() => tooLate.abort(), GIVE_UP_AFTER_MS);
  try {
    const response = await fetch("/livez", {
      cache: "no-store",
      signal: AbortSignal.any([leaving, tooLate.signal]),
    });
    return response.status === 200 ? "up" : "down";
  } catch {
    return "down";
  } finally {
    clearTimeout(timer);
  }
}
