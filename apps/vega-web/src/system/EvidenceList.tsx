// What failed sign-ins left behind: the page's words, where it stood, and a picture where one could be taken.

import { Alert, Loader } from "@mantine/core";
import { useLocation } from "@tanstack/react-router";
import { useEffect, useRef, useState } from "react";
import { getEvidencePicture, listEvidence, said } from "../api/client";
import type { Evidence } from "../api/types";
import { useAnswered } from "../api/useAnswered";
import { Failed } from "../page/Failed";
import { Stamp } from "../time/When";
import { placeOf } from "./evidence";

export function EvidenceList() {
  const answer = useAnswered(["evidence"], () => said(listEvidence()));
  const kept = answer.data?.evidence;
  const asked = useLocation({ select: (location) => location.hash });
  const isGone = asked !== "" && kept?.every((one) => placeOf(one.id) !== asked) === true;
  const heading = useRef<HTMLHeadingElement>(null);
  useEffect(() => {
    if (isGone) heading.current?.focus();
  }, [isGone]);
  return (
    <section className="stack panel" aria-labelledby="evidence">
      <h2 id="evidence" ref={heading} tabIndex={-1}>
        Evidence of failed sign-ins
      </h2>
      {answer.isPending && <Loader aria-label="Asking for the evidence" />}
      <Failed error={answer.error} title="The evidence could not be read" />
      {isGone && (
        <p role="status">What was kept of that failure is gone: the newest twenty are kept.</p>
      )}
      {kept?.length === 0 && (
        <Alert color="blue" variant="outline" icon="i">
          No sign-in has failed so far, or none left anything to look at.
        </Alert>
      )}
      {kept?.map((one, place) => (
        <One
          key={one.id}
          evidence={one}
          isFirst={place === 0}
          isAskedFor={asked === placeOf(one.id)}
        />
      ))}
    </section>
  );
}

interface Props {
  evidence: Evidence;
  isFirst: boolean;
  isAskedFor: boolean;
}

/** The newest is open, and the one that was asked for: they are what one comes for. */
function One({ evidence, isFirst, isAskedFor }: Props) {
  const summary = useRef<HTMLElement>(null);
  const [isOpen, setOpen] = useState(isFirst || isAskedFor);
  useEffect(() => {
    if (!isAskedFor) return;
    summary.current?.scrollIntoView();
    summary.current?.focus();
  }, [isAskedFor]);
  return (
    <details
      className="evidence"
      open={isFirst || isAskedFor}
      onToggle={(event) => setOpen(event.currentTarget.open)}
    >
      <summary ref={summary} id={placeOf(evidence.id)}>
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
      {evidence.has_picture && isOpen && <Picture of={evidence} />}
    </details>
  );
}

/** Asked for as every call is: an `img` of its own could not show the session's second secret. */
function Picture({ of: { id, api } }: { of: Evidence }) {
  const picture = useAnswered(["picture", id], async () => {
    const png: unknown = await said(getEvidencePicture({ path: { id }, parseAs: "arrayBuffer" }));
    return dataAddress(png as ArrayBuffer);
  });
  return (
    <>
      {picture.isPending && <Loader aria-label="Asking for the picture" />}
      <Failed error={picture.error} title="The picture could not be read" />
      {picture.data && (
        <img src={picture.data} alt={`The page at which the sign-in for ${api} failed`} />
      )}
    </>
  );
}

/** The policy allows pictures that stand in the page itself, and a page that is left leaves nothing behind. */
function dataAddress(png: ArrayBuffer): string {
  const characters = Array.from(new Uint8Array(png), (byte) => String.fromCharCode(byte));
  return `data:image/png;base64,${btoa(characters.join(""))}`;
}
