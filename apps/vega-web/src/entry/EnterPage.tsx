// Opens a session with the code after the `#`, which no server and no log has seen so far; it leaves the address bar and the
// history at once.

import { Code, Loader } from "@mantine/core";
import { useEffect, useState } from "react";
import { CallFailed, openSession, said } from "../api/client";
import { keepSessionSecret } from "../api/session";

type Entry =
  | { at: "opening" }
  | { at: "no_code" }
  | { at: "refused"; why: string }
  | { at: "gone" };

/** `code` is taken before the first page is shown, `null` where there was none. */
export function EnterPage({ code, onOpen }: { code: string | null; onOpen: () => void }) {
  const [entry, setEntry] = useState<Entry>(code === null ? { at: "no_code" } : { at: "opening" });
  useEffect(() => {
    if (code === null) return;
    open(code).then(onOpen, (error: Error) =>
      setEntry(isGone(error) ? { at: "gone" } : { at: "refused", why: error.message }),
    );
  }, [code, onOpen]);

  switch (entry.at) {
    case "opening":
      return (
        <p role="status">
          <Loader size="xs" aria-hidden="true" /> Opening the console …
        </p>
      );
    case "no_code":
      return (
        <section className="stack panel" role="alert">
          <h1>This address needs the code of a one-time link</h1>
          <p>
            Run <Code>vega console</Code> and open the link that it prints.
          </p>
        </section>
      );
    case "refused":
      return (
        <section className="stack panel" role="alert">
          <h1>The console did not open</h1>
          <p>{entry.why}</p>
        </section>
      );
    case "gone":
      return (
        <section className="stack panel" role="alert">
          <h1>The console did not open</h1>
          <p>
            The server does not answer. Start vega-server and open the link again; where it is older
            than 60 seconds by then, <Code>vega console</Code> makes another.
          </p>
        </section>
      );
  }
}

function isGone(error: Error): boolean {
  return error instanceof CallFailed && error.status === null;
}

const opened = new Map<string, Promise<unknown>>();

/** Once per code, also where React mounts the page twice: a link works once. */
function open(code: string): Promise<unknown> {
  const known = opened.get(code);
  if (known !== undefined) return known;
  const call = said(openSession({ body: { code } })).then(({ secret }) =>
    keepSessionSecret(secret),
  );
  opened.set(code, call);
  return call;
}

/** Another link in the same tab changes only what follows the `#`, and loads nothing: the page begins anew with it. */
export function beginAnewWithEachLink() {
  addEventListener("hashchange", () => {
    if (location.pathname === "/enter" && location.hash !== "") location.reload();
  });
}

/** Takes the code out of the address. */
export function takeCode(): string | null {
  if (location.pathname !== "/enter") return null;
  const code = location.hash.slice(1);
  history.replaceState(null, "", "/enter");
  return code === "" ? null : code;
}
