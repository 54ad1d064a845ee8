// The answer at the top of the page, read aloud when it changes.

import type { Verdict } from "./verdict";

const SIGNS: Record<Verdict["kind"], string> = { yes: "✓", no: "✕", later: "◷", not_known: "?" };

export function VerdictBanner({ verdict }: { verdict: Verdict }) {
  return (
    <div role="status" className="verdict" data-kind={verdict.kind}>
      <span className="verdict-sign" aria-hidden="true">
        {SIGNS[verdict.kind]}
      </span>
      <div>
        <h1 className="verdict-question">Can I trade at 09:15 IST?</h1>
        <p className="verdict-title">{verdict.title}</p>
        <p className="verdict-next">{verdict.next}</p>
      </div>
    </div>
  );
}
