// The only page so far: says that the console is not built yet, where the tokens
// can be seen instead, and whether the server answers.

import { ServerLine } from "./liveness/ServerLine";

export function App() {
  return (
    <main>
      <h1>Vega</h1>
      <p>
        The console is not built yet; <code>vega status</code> on the command line shows the tokens.
      </p>
      <ServerLine />
    </main>
  );
}
