// The audit trail, newest first: what is looked for, the entries, and whether the trail is whole. It follows what happens
// while it is open.

import { Alert, Button, Loader } from "@mantine/core";
import {
  type InfiniteData,
  keepPreviousData,
  useInfiniteQuery,
  useQueryClient,
} from "@tanstack/react-query";
import { useEffect, useEffectEvent, useRef, useState } from "react";
import { listAudit, said } from "../api/client";
import { useSessionOf } from "../api/useAnswered";
import { useDashboard } from "../live/useDashboard";
import { Failed } from "../page/Failed";
import { EntryTable } from "./EntryTable";
import { FilterForm } from "./FilterForm";
import { type AuditSearch, queryOf } from "./search";
import { TrailVerdict } from "./TrailVerdict";

interface Props {
  search: AuditSearch;
  onSearch: (search: AuditSearch) => void;
}

export function AuditPage({ search, onSearch }: Props) {
  const dashboard = useDashboard();
  return (
    <>
      <h1>Audit trail</h1>
      <TrailVerdict />
      <FilterForm
        search={search}
        onSearch={onSearch}
        apis={dashboard?.apis ?? []}
        accounts={dashboard?.accounts ?? []}
      />
      <Entries search={search} onSearch={onSearch} />
    </>
  );
}

function Entries({ search, onSearch }: Props) {
  const queries = useQueryClient();
  const queryKey = ["audit", "entries", search];
  const [newsOf, setNewsOf] = useState<string | null>(null);
  const pages = useInfiniteQuery({
    queryKey,
    queryFn: ({ pageParam, signal }) =>
      said(listAudit({ query: { ...queryOf(search), order: "newest", ...pageParam }, signal })),
    initialPageParam: {} as { after?: number },
    getNextPageParam: (page) => (page.next == null ? undefined : { after: page.next }),
    placeholderData: keepPreviousData,
  });
  useSessionOf(pages.error);
  const isLong = (pages.data?.pages.length ?? 0) > 1;
  const name = JSON.stringify(search);
  const readAgain = () => {
    setNewsOf(null);
    queries.setQueryData<InfiniteData<unknown>>(queryKey, (all) => all && firstOf(all));
    void queries.invalidateQueries({ queryKey });
  };
  // Whoever went on to older entries reads there: the list stays as it is, and not all of it is asked for again.
  useFollow(() => (isLong ? setNewsOf(name) : readAgain()));
  if (pages.isPending) return <Loader aria-label="Reading the trail" />;
  const entries = (pages.data?.pages ?? []).flatMap((page) => page.entries);
  const isFiltered = Object.keys(search).length > 0;
  return (
    <>
      <Failed error={pages.error} title="The trail could not be read" />
      {pages.data && entries.length === 0 && !pages.hasNextPage && (
        <Alert role="status" color="blue" variant="outline" icon="i">
          {isFiltered
            ? "No entry fits. Clear the filters to see all."
            : "Nothing is on record yet."}
        </Alert>
      )}
      {isLong && newsOf === name && (
        <Button variant="default" onClick={readAgain}>
          Show what is new
        </Button>
      )}
      {entries.length > 0 && (
        <EntryTable entries={entries} onRun={(run) => onSearch({ ...search, run })} />
      )}
      {pages.hasNextPage ? (
        <Button
          variant="default"
          loading={pages.isFetchingNextPage}
          onClick={() => void pages.fetchNextPage()}
        >
          {entries.length === 0 ? "Nothing fits so far: search on" : "Show older entries"}
        </Button>
      ) : (
        entries.length > 0 && <p className="dimmed">That is all.</p>
      )}
    </>
  );
}

const SETTLES_AFTER_MS = 500;

/** Whatever changes on the dashboard is on record too, a moment later. */
function useFollow(onNews: () => void) {
  const dashboard = useDashboard();
  const seen = useRef(dashboard);
  const tell = useEffectEvent(onNews);
  useEffect(() => {
    // What was there first is in what the page has asked for already.
    const isFirst = seen.current === null || seen.current === dashboard;
    seen.current = dashboard;
    if (isFirst) return;
    const timer = setTimeout(() => tell(), SETTLES_AFTER_MS);
    return () => clearTimeout(timer);
  }, [dashboard]);
}

function firstOf(all: InfiniteData<unknown>): InfiniteData<unknown> {
  return { pages: all.pages.slice(0, 1), pageParams: all.pageParams.slice(0, 1) };
}
