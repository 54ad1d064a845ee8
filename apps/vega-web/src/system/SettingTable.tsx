// The settings in force, each with where it came from. The server masks what is secret before it sends them.

import { Alert, Loader, Table, TextInput } from "@mantine/core";
import { useState } from "react";
import { getConfig, said } from "../api/client";
import type { Setting } from "../api/types";
import { useAnswered } from "../api/useAnswered";
import { Failed } from "../page/Failed";

export function SettingTable() {
  const config = useAnswered(["config"], () => said(getConfig()));
  const [words, setWords] = useState("");
  const settings = (config.data?.settings ?? []).filter((setting) => holds(setting, words));
  return (
    <section className="stack panel" aria-labelledby="settings">
      <h2 id="settings">Settings in force</h2>
      {config.isPending && <Loader aria-label="Asking for the settings" />}
      <Failed error={config.error} title="The settings could not be read" />
      {config.data?.warnings.map((warning) => (
        <Alert
          key={warning}
          role="group"
          color="orange"
          variant="outline"
          icon="!"
          title="Check this setting"
        >
          {warning}
        </Alert>
      ))}
      {config.data && (
        <>
          <TextInput
            type="search"
            className="narrow"
            label="Only those that hold"
            value={words}
            onChange={(event) => setWords(event.currentTarget.value)}
          />
          {settings.length === 0 ? (
            <p>No setting holds these words.</p>
          ) : (
            <Settings settings={settings} />
          )}
        </>
      )}
    </section>
  );
}

function holds(setting: Setting, words: string): boolean {
  const all = `${setting.key} ${setting.value} ${setting.source}`.toLowerCase();
  return all.includes(words.trim().toLowerCase());
}

function Settings({ settings }: { settings: Setting[] }) {
  return (
    <Table className="list" aria-label="Settings">
      <Table.Thead>
        <Table.Tr>
          <Table.Th scope="col">Setting</Table.Th>
          <Table.Th scope="col">Value</Table.Th>
          <Table.Th scope="col">From</Table.Th>
        </Table.Tr>
      </Table.Thead>
      <Table.Tbody>
        {settings.map((setting) => (
          <Table.Tr key={setting.key}>
            <Table.Th scope="row" className="code">
              {setting.key}
            </Table.Th>
            <Table.Td className="code">{setting.value}</Table.Td>
            <Table.Td data-label="From">{setting.source}</Table.Td>
          </Table.Tr>
        ))}
      </Table.Tbody>
    </Table>
  );
}
