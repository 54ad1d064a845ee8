// The programs that use tokens: which token each has, and the operator's word that one of them gets nothing.

import { Alert, Badge, Button, Code, Table } from "@mantine/core";
import { useState } from "react";
import type { Consumer } from "../api/types";
import { useOpenConsumer, useStopConsumer } from "../api/useCalls";
import { keyOf } from "../live/frames";
import { Failed } from "../page/Failed";
import { Stamp } from "../time/When";

export function ConsumerTable({ consumers }: { consumers: Consumer[] }) {
  return (
    <section className="stack panel" aria-labelledby="programs">
      <h2 id="programs">Programs that use tokens</h2>
      <p>
        Whoever got a token from this server within a month. A program gives itself a name with{" "}
        <Code>X-Vega-Consumer</Code>; a stop is for its access key, or for what the kernel knows it
        as.
      </p>
      {consumers.length === 0 ? (
        <Alert color="blue" variant="outline" icon="i">
          No program has asked for a token yet.
        </Alert>
      ) : (
        <Consumers consumers={consumers} />
      )}
    </section>
  );
}

function Consumers({ consumers }: { consumers: Consumer[] }) {
  return (
    <Table className="list" aria-label="Programs that use tokens">
      <Table.Thead>
        <Table.Tr>
          <Table.Th scope="col">Name</Table.Th>
          <Table.Th scope="col">API</Table.Th>
          <Table.Th scope="col">Token</Table.Th>
          <Table.Th scope="col">State</Table.Th>
          <Table.Th scope="col">Moved</Table.Th>
          <Table.Th scope="col">Last seen</Table.Th>
          <Table.Th scope="col">Access</Table.Th>
        </Table.Tr>
      </Table.Thead>
      <Table.Tbody>
        {consumers.map((consumer) => (
          <Table.Tr key={keyOf(consumer)}>
            <Table.Th scope="row">
              {consumer.name}
              {consumer.own_name !== null && <div>{consumer.known_as}</div>}
            </Table.Th>
            <Table.Td data-label="API">{consumer.api}</Table.Td>
            <Table.Td data-label="Token">{tokenOf(consumer)}</Table.Td>
            <Table.Td data-label="State">
              <State value={consumer} />
            </Table.Td>
            <Table.Td data-label="Moved">
              {consumer.moved_at_unix === null || consumer.moved_at_unix === undefined ? (
                "never"
              ) : (
                <Stamp unix={consumer.moved_at_unix} />
              )}
            </Table.Td>
            <Table.Td data-label="Last seen">
              {consumer.connected ? "listens now" : <Stamp unix={consumer.last_seen_at_unix} />}
            </Table.Td>
            <Table.Td data-label="Access">
              {consumer.access_path} <Access value={consumer} />
            </Table.Td>
          </Table.Tr>
        ))}
      </Table.Tbody>
    </Table>
  );
}

function tokenOf({ generation, newest_generation: newest }: Consumer): string {
  if (generation === null || generation === undefined) return "none";
  if (newest === null || newest === undefined || newest === generation) return `${generation}`;
  return `${generation}, newest ${newest}`;
}

const STATES = {
  current: ["Current", "green.9"],
  behind: ["Behind", "red.9"],
  waiting: ["Waiting", "gray.8"],
  away: ["Away", "gray.8"],
} as const satisfies Record<Consumer["state"], [string, string]>;

function State({ value }: { value: Consumer }) {
  const [words, color] = value.stopped ? (["Stopped", "red.9"] as const) : STATES[value.state];
  return (
    <>
      <Badge color={color} variant="filled" tt="none">
        {words}
      </Badge>
      {value.stopped && value.stopped.reason !== "" && <div>{value.stopped.reason}</div>}
    </>
  );
}

function Access({ value }: { value: Consumer }) {
  const [isAsked, setAsked] = useState(false);
  const stop = useStopConsumer();
  const open = useOpenConsumer();
  const { known_as: name, consumer } = value;
  if (value.stopped) {
    return (
      <>
        <Button
          size="compact-sm"
          variant="default"
          loading={open.isPending}
          onClick={() => open.mutate({ consumer })}
        >
          Open {name}
        </Button>
        <Failed error={open.error} title="It was not opened" />
      </>
    );
  }
  if (!isAsked) {
    return (
      <Button size="compact-sm" variant="default" onClick={() => setAsked(true)}>
        Stop {name} …
      </Button>
    );
  }
  return (
    <div className="stack">
      <p>Whatever comes as {name} gets nothing until it is opened.</p>
      <div className="answers">
        <Button size="compact-sm" variant="default" autoFocus onClick={() => setAsked(false)}>
          Leave it
        </Button>
        <Button
          size="compact-sm"
          color="red"
          loading={stop.isPending}
          onClick={() => stop.mutate({ consumer }, { onSuccess: () => setAsked(false) })}
        >
          Stop {name}
        </Button>
      </div>
      <Failed error={stop.error} title="It was not stopped" />
    </div>
  );
}
