// What is shown when this browser has no session, or none any more: how to get back in.

import { Code } from "@mantine/core";

export function SessionOver() {
  return (
    <section className="stack" role="alert">
      <h1>You are signed out</h1>
      <p>A session ends after 15 minutes in which nobody touches the page, and after 12 hours.</p>
      <p>
        Run <Code>vega console</Code> on the machine where Vega runs, and open the link that it
        prints. It works once, within 60 seconds.
      </p>
    </section>
  );
}
