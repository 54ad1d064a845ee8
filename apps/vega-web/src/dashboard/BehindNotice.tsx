// Which programs still have an older token than the newest one.

import { Alert } from "@mantine/core";
import type { Consumer } from "../api/types";

export function BehindNotice({ consumers }: { consumers: Consumer[] }) {
  const behind = consumers.filter((consumer) => consumer.state === "behind");
  if (behind.length === 0) return null;
  const has = consumers.filter((consumer) => consumer.state === "current").length;
  const names = behind.map(
    ({ name, api, generation, newest_generation: newest }) =>
      `${name} (${api}, token ${generation}, newest ${newest})`,
  );
  return (
    <Alert color="yellow" variant="outline" icon="!" title="A program has an older token">
      {has} of {has + behind.length} programs have moved to the newest token. Not yet:{" "}
      {names.join(", ")}. Restart them, or stop them under System.
    </Alert>
  );
}
