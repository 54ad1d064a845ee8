// What failed sign-ins left behind: the page's words, where it stood, and a picture where one could be taken.

import { Alert, Loader } from "@mantine/core";
import { listEvidence, said } from "../api/client";
import type { Evidence } from "../api/types";
import { useAnswered } from "../api/useAnswered";
import { Failed } from "../page/Failed";
import { Stamp } from "../time/When";

export function EvidenceList() {
  const answer = useAnswered(["evidence"], () => said(listEvidence()));
  const kept = answer.data?.evidence;
  return (
    <section className="stack panel" aria-labelledby="evidence">
      <h2 id="evidence">Evidence of failed sign-ins</h2>
      {answer.isPending && <Loader aria-label="Asking for the evidence" />}
      <Failed error={answer.error} title="The evidence could not be read" />
      {kept?.length === 0 && (
        <Alert color="blue" variant="outline" icon="i">
          No sign-in has failed so far, or none left anything to look at.
        </Alert>
      )}
      {kept?.map((one, place) => (
        <One key={one.id} evidence={one} isFirst={place === 0} />
      ))}
    </section>
  );
}

/** The newest is open: it is what one comes for. */
function One({ evidence, isFirst }: { evidence: Evidence; isFirst: boolean }) {
  return (
    <details className="evidence" open={isFirst}>
      <summary>
        <strong>{evidence.api}</strong> {evidence.reason.replaceAll("_", " ")},{" "}
        <Stamp unix={evidence.at_unix} />
      </summary>
      <dl className="facts wide">
        {evidence.facts.map((fact) => (
          <div key={fact.about} className="fact">
            <dt>{fact.about}</dt>
            <dd>{fact.says}</dd>
          </div>
        ))}
        <div className="fact">
          <dt>Kept in</dt>
          <dd className="code">{evidence.path}</dd>
        </div>
      </dl>
      {evidence.has_picture && (
        <img
          loading="lazy"
          src={`/api/v1/evidence/${encodeURIComponent(evidence.id)}/picture`}
          alt={`The page at which the sign-in for ${evidence.api} failed`}
        />
      )}
    </details>
  );
}
