// In place of a page that a defect of the console's own broke. The tokens are the server's: nothing of them is lost with it.

import { Alert, Button, Code } from "@mantine/core";
import type { ErrorComponentProps } from "@tanstack/react-router";

export function Broken({ error }: Pick<ErrorComponentProps, "error">) {
  return (
    <section className="stack panel">
      <h1>This page broke</h1>
      <Alert role="alert" color="red" variant="outline" title="The console itself made a mistake">
        {error instanceof Error ? error.message : String(error)}
      </Alert>
      <p>
        The server goes on without it: tokens stay, and a run that is under way is carried out.
        Where loading the page again does not help, <Code>vega status</Code> shows the tokens on the
        command line.
      </p>
      <div className="answers">
        <Button onClick={() => location.reload()}>Load the page again</Button>
      </div>
    </section>
  );
}
