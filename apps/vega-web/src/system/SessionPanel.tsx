// This browser's session: since when, and when it ends.

import { getSession, said } from "../api/client";
import { useAnswered } from "../api/useAnswered";
import { Failed } from "../page/Failed";
import { lengthInWords, unixOf } from "../time/ist";
import { Stamp, Until } from "../time/When";

export function SessionPanel() {
  const session = useAnswered(["session"], () => said(getSession()));
  return (
    <section className="stack panel" aria-labelledby="session">
      <h2 id="session">This console's session</h2>
      <Failed error={session.error} title="The session could not be looked up" />
      {session.data && (
        <dl className="facts">
          <dt>Opened</dt>
          <dd>
            <Stamp unix={unixOf(session.data.opened_at)} />
          </dd>
          <dt>Ends</dt>
          <dd>
            <Until unix={session.data.ends_at_unix} />, or after{" "}
            {lengthInWords(session.data.idle_seconds)} in which nobody touches the page
          </dd>
        </dl>
      )}
    </section>
  );
}
