// Which machines share the database, which of them have its key, and who has the right to sign in now.

import { Alert, Badge, Code, Table } from "@mantine/core";
import { getSystem, said } from "../api/client";
import type { Lease, Machine } from "../api/types";
import { useAnswered } from "../api/useAnswered";
import { Stamp } from "../time/When";

/** The same answer as the health panel's: it is asked for once. */
export function MachinePanel() {
  const system = useAnswered(["system"], () => said(getSystem()));
  if (!system.data) return null;
  const { machines, lease } = system.data;
  return (
    <section className="stack panel" aria-labelledby="machines">
      <h2 id="machines">Machines</h2>
      <p>{lease ? <SignsIn lease={lease} /> : "Nobody signs in now."}</p>
      {machines.some((machine) => !machine.has_key) && (
        <Alert color="red" variant="outline" icon="!" title="A machine lacks the key">
          It gives out the tokens that it has in memory, and stores nothing. Its{" "}
          <Code>/readyz</Code> says which file to copy from where.
        </Alert>
      )}
      {machines.length > 0 && <Machines machines={machines} />}
    </section>
  );
}

function SignsIn({ lease }: { lease: Lease }) {
  const who = lease.is_this_server ? "This server" : `Process ${lease.pid} on ${lease.machine}`;
  return (
    <>
      {who} has the right to sign in, since <Stamp unix={lease.since_unix} />
      {lease.url && !lease.is_this_server && (
        <>
          : <a href={lease.url}>{lease.url}</a>
        </>
      )}
      .
    </>
  );
}

function Machines({ machines }: { machines: Machine[] }) {
  return (
    <Table className="list" aria-label="Machines">
      <Table.Thead>
        <Table.Tr>
          <Table.Th scope="col">Machine</Table.Th>
          <Table.Th scope="col">Key</Table.Th>
          <Table.Th scope="col">Seen</Table.Th>
          <Table.Th scope="col">Vega</Table.Th>
          <Table.Th scope="col">Server</Table.Th>
        </Table.Tr>
      </Table.Thead>
      <Table.Tbody>
        {machines.map((machine) => (
          <Table.Tr key={machine.name}>
            <Table.Th scope="row">
              {machine.name}
              {machine.is_this_one && " (this one)"}
            </Table.Th>
            <Table.Td data-label="Key">
              <Keys machine={machine} />
            </Table.Td>
            <Table.Td data-label="Seen">
              <Stamp unix={machine.seen_at_unix} />
            </Table.Td>
            <Table.Td data-label="Vega">{machine.version}</Table.Td>
            <Table.Td data-label="Server">
              {machine.url ? <a href={machine.url}>{machine.url}</a> : "none"}
            </Table.Td>
          </Table.Tr>
        ))}
      </Table.Tbody>
    </Table>
  );
}

function Keys({ machine }: { machine: Machine }) {
  const next =
    machine.has_next_key == null
      ? ""
      : machine.has_next_key
        ? ", and the next one"
        : ", not the next one yet";
  if (machine.has_key) return `has it${next}`;
  return (
    <Badge color="red.9" variant="filled" tt="none">
      Lacks it
    </Badge>
  );
}
