// Entries of the audit trail, one per row; on a phone each is a small card.

import { Button, Table } from "@mantine/core";
import { memo } from "react";
import type { Entry } from "../api/types";
import { Stamp } from "../time/When";
import { kindWords } from "./labels";

interface Props {
  entries: Entry[];
  onRun: (run: string) => void;
}

export const EntryTable = memo(function EntryTable({ entries, onRun }: Props) {
  return (
    <Table className="list" aria-label="Entries, newest first">
      <Table.Thead>
        <Table.Tr>
          <Table.Th scope="col">When</Table.Th>
          <Table.Th scope="col">What</Table.Th>
          <Table.Th scope="col">About</Table.Th>
          <Table.Th scope="col">In words</Table.Th>
        </Table.Tr>
      </Table.Thead>
      <Table.Tbody>
        {entries.map((entry) => (
          <Table.Tr key={entry.id}>
            <Table.Td>
              <Stamp unix={entry.at_unix} />
            </Table.Td>
            <Table.Td>{kindWords(entry.kind)}</Table.Td>
            <Table.Td>
              <About entry={entry} onRun={onRun} />
            </Table.Td>
            <Table.Td className="detail">{entry.detail}</Table.Td>
          </Table.Tr>
        ))}
      </Table.Tbody>
    </Table>
  );
});

function About({ entry, onRun }: { entry: Entry; onRun: (run: string) => void }) {
  const { api, account, run } = entry;
  return (
    <>
      {api && <strong>{api}</strong>}
      {account && <span className="dimmed"> {account}</span>}
      {run && (
        <>
          {" "}
          <Button size="compact-xs" variant="default" onClick={() => onRun(run)}>
            run …{run.slice(-6)}
          </Button>
        </>
      )}
      {!api && !account && !run && <span className="none">–</span>}
    </>
  );
}
