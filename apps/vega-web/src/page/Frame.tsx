// What stands around every page: the name, the way to the other pages, the choice of colours, and the banners that every page
// needs: the server is gone, or a human is.

import { Alert, Button, useMantineColorScheme } from "@mantine/core";
import { Link, Outlet, useLocation } from "@tanstack/react-router";
import { useEffect, useRef } from "react";
import { useEndSession } from "../api/useCalls";
import { SessionOver } from "../entry/SessionOver";
import { useActivity } from "../live/useActivity";
import { useConnection, useDashboard, useStream } from "../live/useDashboard";
import { titleOf } from "../prompts/labels";
import { useAttention } from "../prompts/useAttention";
import { Failed } from "./Failed";
import icon from "./icon.svg";

const PAGES = [
  { to: "/", name: "Dashboard" },
  { to: "/audit", name: "Audit" },
  { to: "/system", name: "System" },
] as const;

/** Pages that need a session. */
export function SignedIn() {
  useStream();
  useActivity();
  const connection = useConnection();
  const prompts = useDashboard()?.prompts ?? [];
  const path = useLocation({ select: (location) => location.pathname });
  const isLive = connection === "live";
  const isOver = connection === "signed_out";
  const page = PAGES.find((page) => page.to === path)?.name ?? "Vega";
  useAttention(isLive ? prompts : [], isOver ? "Signed out" : page);
  if (isOver) return <SessionOver />;
  const first = prompts[0];
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
          Nothing below is current. Start vega-server; if it runs, its log says what its database
          lacks. This page connects again by itself.
        </Alert>
      )}
      {isLive && first && path !== "/" && (
        <Alert role="alert" color="indigo" variant="filled" icon="!" title={titleOf(first)}>
          <Link to="/">Answer it on the dashboard</Link>
        </Alert>
      )}
      <Outlet />
    </>
  );
}

export function Frame() {
  const path = useLocation({ select: (location) => location.pathname });
  const hash = useLocation({ select: (location) => location.hash });
  const connection = useConnection();
  const content = useRef<HTMLElement>(null);
  const shown = useRef(path);
  useEffect(() => {
    // A screen reader goes on where the new page begins, as after loading one; a place on it takes the focus itself.
    if (shown.current !== path && hash === "") content.current?.focus();
    shown.current = path;
  }, [path, hash]);
  const hasSession = path !== "/enter" && connection !== "signed_out";
  return (
    <>
      {/* No link: what stands after the # of /enter is a code. */}
      <button type="button" className="skip" onClick={() => content.current?.focus()}>
        Skip to the content
      </button>
      <header className="bar">
        <div className="frame row">
          <p className="name">
            <img src={icon} alt="" width="24" height="24" /> Vega
          </p>
          {hasSession && (
            <nav aria-label="Pages">
              {PAGES.map((page) => (
                <Link key={page.to} to={page.to} activeOptions={{ exact: true }}>
                  {page.name}
                </Link>
              ))}
            </nav>
          )}
          <div className="answers">
            <SchemeButton />
            {hasSession && <SignOutButton />}
          </div>
        </div>
      </header>
      <main ref={content} tabIndex={-1} className="frame stack">
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

function SignOutButton() {
  const end = useEndSession();
  return (
    <>
      <Button
        size="xs"
        variant="default"
        loading={end.isPending}
        onClick={() => end.mutate(undefined)}
      >
        Sign out
      </Button>
      <Failed error={end.error} title="You are still signed in" />
    </>
  );
}
