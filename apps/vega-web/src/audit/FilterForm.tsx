// What is looked for in the audit trail, and the files that hold all of it.

import { Button, NativeSelect, TextInput } from "@mantine/core";
import { useDebouncedCallback } from "@mantine/hooks";
import { useState } from "react";
import type { Account, Api } from "../api/types";
import { useTakeAway } from "../api/useCalls";
import { AuditKind } from "../generated/client/types.gen";
import { Failed } from "../page/Failed";
import { kindWords } from "./labels";
import type { AuditSearch } from "./search";
import type { FileFormat } from "./takeAway";

interface Props {
  search: AuditSearch;
  onSearch: (search: AuditSearch) => void;
  apis: Api[];
  accounts: Account[];
}

const FILES: [FileFormat, string][] = [
  ["csv", "Export CSV"],
  ["json", "Export JSON"],
];
const KINDS = Object.values(AuditKind).map((kind) => ({ value: kind, label: kindWords(kind) }));

export function FilterForm({ search, onSearch, apis, accounts }: Props) {
  const change = (field: keyof AuditSearch, value: string) => {
    const { [field]: _, ...rest } = search;
    onSearch(value === "" ? rest : { ...rest, [field]: value });
  };
  const [words, setWords] = useState(search.q ?? "");
  const look = useDebouncedCallback((typed: string) => change("q", typed.trim()), 300);
  const file = useTakeAway(search);
  const analytics = accounts
    .filter((account) => account.analytics || search.api === `@${account.account}`)
    .map(({ account }) => ({ value: `@${account}`, label: `Analytics token of ${account}` }));
  const isFiltered = Object.keys(search).length > 0;
  return (
    <search aria-label="Audit trail">
      <form className="filters" onSubmit={(event) => event.preventDefault()}>
        <TextInput
          className="wide"
          type="search"
          label="Words"
          maxLength={200}
          value={words}
          onChange={(event) => {
            setWords(event.currentTarget.value);
            look(event.currentTarget.value);
          }}
        />
        <NativeSelect
          label="API"
          value={search.api ?? ""}
          onChange={(event) => change("api", event.currentTarget.value)}
          data={[{ value: "", label: "All" }, ...apis.map((api) => api.api), ...analytics]}
        />
        {accounts.length > 1 && (
          <NativeSelect
            label="Account"
            value={search.account ?? ""}
            onChange={(event) => change("account", event.currentTarget.value)}
            data={[{ value: "", label: "All" }, ...accounts.map((account) => account.account)]}
          />
        )}
        <NativeSelect
          label="What happened"
          value={search.kind ?? ""}
          onChange={(event) => change("kind", event.currentTarget.value)}
          data={[{ value: "", label: "Everything" }, ...KINDS]}
        />
        <TextInput
          type="date"
          label="From day (IST)"
          value={search.from ?? ""}
          onChange={(event) => change("from", event.currentTarget.value)}
        />
        <TextInput
          type="date"
          label="To day (IST)"
          value={search.to ?? ""}
          onChange={(event) => change("to", event.currentTarget.value)}
        />
        <div className="answers wide">
          <Button
            variant="default"
            disabled={!isFiltered}
            onClick={() => {
              look.cancel();
              setWords("");
              onSearch({});
            }}
          >
            Clear
          </Button>
          {FILES.map(([format, label]) => (
            <Button
              key={format}
              variant="default"
              loading={file.isPending && file.variables === format}
              onClick={() => file.mutate(format)}
            >
              {label}
            </Button>
          ))}
          {search.run && (
            <span className="run-filter">
              Only run <code>…{search.run.slice(-6)}</code>
            </span>
          )}
        </div>
        <Failed error={file.error} title="The file could not be made" />
      </form>
    </search>
  );
}
