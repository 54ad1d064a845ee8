// What is shown when this browser has no session, or none any more: how to get back in. Where a link was opened in another
// tab, this one goes on as soon as it is looked at.

import { Button, Code } from "@mantine/core";
import { useQueryClient } from "@tanstack/react-query";
import { useCallback, useEffect, useState } from "react";
import { getSession, said } from "../api/client";
import { signedIn } from "../live/useDashboard";
import { Failed } from "../page/Failed";
import { notify } from "../prompts/permission";

export function SessionOver() {
  const queries = useQueryClient();
  const [error, setError] = useState<Error | null>(null);
  const look = useCallback(
    () =>
      said(getSession()).then(
        () => signedIn(queries),
        (error: Error) => error,
      ),
    [queries],
  );
  useEffect(() => {
    const lookQuietly = () => void look();
    addEventListener("focus", lookQuietly);
    return () => removeEventListener("focus", lookQuietly);
  }, [look]);
  useEffect(() => {
    if (!document.hidden && document.hasFocus()) return;
    const body = "Nobody is called from here any more. `vega console` prints a new link.";
    notify("Signed out of Vega", { body, tag: "signed-out" });
  }, []);
  return (
    <>
      <section className="stack panel" role="alert">
        <h1>You are signed out</h1>
        <p>A session ends after 15 minutes in which nobody touches the page, and after 12 hours.</p>
        <p>
          Run <Code>vega console</Code> on the machine where Vega runs, and open the link that it
          prints. It works once, within 60 seconds.
        </p>
      </section>
      <div className="answers">
        <Button
          variant="default"
          onClick={() => void look().then((failed) => setError(failed ?? null))}
        >
          I opened the link in another tab
        </Button>
      </div>
      <Failed error={error} title="There is still no session in this browser" />
    </>
  );
}
