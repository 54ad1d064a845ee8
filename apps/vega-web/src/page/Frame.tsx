// What stands around every page: the name, the choice of colours, and the banner that says when the server is gone.

import { Alert, Button, useMantineColorScheme } from "@mantine/core";
import { Outlet } from "@tanstack/react-router";
import { SessionOver } from "../entry/SessionOver";
import { useActivity } from "../live/useActivity";
import { useConnection, useStream } from "../live/useBoard";

/** Pages that need a session. */
export function SignedIn() {
  useStream();
  useActivity();
  const connection = useConnection();
  if (connection === "signed_out") return <SessionOver />;
  return (
    <>
      {connection === "gone" && (
        <Alert
          role="alert"
          color="red"
          variant="filled"
          icon="!"
          title="The server does not answer"
        >
          Nothing below is current. Start vega-server; this page connects again by itself.
        </Alert>
      )}
      <Outlet />
    </>
  );
}

export function Frame() {
  return (
    <>
      <header className="frame">
        <h1>Vega</h1>
        <SchemeButton />
      </header>
      <main className="frame stack">
        <Outlet />
      </main>
    </>
  );
}

const NEXT = { auto: "light", light: "dark", dark: "auto" } as const;
const WORDS = { auto: "as the system", light: "light", dark: "dark" };

function SchemeButton() {
  const { colorScheme, setColorScheme } = useMantineColorScheme();
  return (
    <Button size="xs" variant="default" onClick={() => setColorScheme(NEXT[colorScheme])}>
      Colours: {WORDS[colorScheme]}
    </Button>
  );
}
