// The access keys of programs: who may read what, and the way to end one. None is made here: that takes the command line.

import { Alert, Badge, Button, Code, Loader, Table } from "@mantine/core";
import { useState } from "react";
import { listKeys, said } from "../api/client";
import type { Key, UnfitKey } from "../api/types";
import { useAnswered } from "../api/useAnswered";
import { useRevokeKey } from "../api/useCalls";
import { Failed } from "../page/Failed";
import { unixOf } from "../time/ist";
import { Stamp } from "../time/When";

export function KeyTable() {
  const keys = useAnswered(["keys"], () => said(listKeys()));
  return (
    <section className="stack panel" aria-labelledby="keys">
      <h2 id="keys">Access keys</h2>
      <p>
        With these, programs call the server. <Code>vega key add NAME --scope token:PRIMARY</Code>{" "}
        makes one and shows it once; here they are listed and revoked.
      </p>
      {keys.isPending && <Loader aria-label="Asking for the keys" />}
      <Failed error={keys.error} title="The keys could not be listed" />
      {keys.data?.keys.length === 0 && keys.data.unfit.length === 0 && (
        <Alert color="blue" variant="outline" icon="i">
          There is no access key yet.
        </Alert>
      )}
      {keys.data && keys.data.keys.length > 0 && <Keys keys={keys.data.keys} />}
      {keys.data?.unfit.map((key) => (
        <Unfit key={key.id} value={key} />
      ))}
    </section>
  );
}

function Unfit({ value }: { value: UnfitKey }) {
  const name = value.names.join(" or ") || value.id;
  return (
    <Alert color="red" variant="outline" icon="!" title={`The record of key ${name} does not fit`}>
      <p>
        It was changed or taken away outside Vega, so the key opens nothing. Revoke it, so that it
        does not come back with its record.
      </p>
      <RevokeButton id={value.id} name={name} />
    </Alert>
  );
}

function Keys({ keys }: { keys: Key[] }) {
  return (
    <Table className="list" aria-label="Access keys">
      <Table.Thead>
        <Table.Tr>
          <Table.Th scope="col">Name</Table.Th>
          <Table.Th scope="col">May</Table.Th>
          <Table.Th scope="col">Last used</Table.Th>
          <Table.Th scope="col">Ends</Table.Th>
          <Table.Th scope="col">State</Table.Th>
        </Table.Tr>
      </Table.Thead>
      <Table.Tbody>
        {keys.map((key) => (
          <Table.Tr key={key.id}>
            <Table.Th scope="row">{key.name}</Table.Th>
            <Table.Td data-label="May">{key.scopes.join(", ")}</Table.Td>
            <Table.Td data-label="Last used">
              {key.last_used_at ? <Stamp unix={unixOf(key.last_used_at)} /> : "never"}
            </Table.Td>
            <Table.Td data-label="Ends">
              {key.expires_at ? <Stamp unix={unixOf(key.expires_at)} /> : "never"}
            </Table.Td>
            <Table.Td>
              <KeyState value={key} />
            </Table.Td>
          </Table.Tr>
        ))}
      </Table.Tbody>
    </Table>
  );
}

function KeyState({ value }: { value: Key }) {
  if (value.revoked_at) {
    return (
      <>
        <Badge color="gray.8" variant="filled" tt="none">
          Revoked
        </Badge>{" "}
        <Stamp unix={unixOf(value.revoked_at)} />
      </>
    );
  }
  if (value.state === "expired") {
    return (
      <Badge color="gray.8" variant="filled" tt="none">
        Expired
      </Badge>
    );
  }
  return <RevokeButton id={value.id} name={value.name} />;
}

function RevokeButton({ id, name }: { id: string; name: string }) {
  const [question, setQuestion] = useState<"not_asked" | "asked" | "kept">("not_asked");
  const revoke = useRevokeKey();
  if (question !== "asked") {
    return (
      <Button
        size="compact-sm"
        variant="default"
        autoFocus={question === "kept"}
        onClick={() => setQuestion("asked")}
      >
        Revoke {name} …
      </Button>
    );
  }
  return (
    <div className="stack">
      <p>Programs that use it are refused at once. It does not come back.</p>
      <div className="answers">
        <Button size="compact-sm" variant="default" autoFocus onClick={() => setQuestion("kept")}>
          Keep it
        </Button>
        <Button
          size="compact-sm"
          color="red"
          loading={revoke.isPending}
          onClick={() => revoke.mutate(id)}
        >
          Revoke {name}
        </Button>
      </div>
      <Failed error={revoke.error} title="The key was not revoked" />
    </div>
  );
}
