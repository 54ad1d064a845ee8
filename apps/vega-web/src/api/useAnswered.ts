// What the server answers to a question, kept while a page shows it. A session that is over is told to the whole console.

import { type QueryKey, useQuery, useQueryClient } from "@tanstack/react-query";
import { useEffect } from "react";
import { signedOut } from "../live/useDashboard";
import { CallFailed } from "./client";

/** `everyMs`: asks again so often while the page is looked at. */
export function useAnswered<Data>(queryKey: QueryKey, ask: () => Promise<Data>, everyMs?: number) {
  const answer = useQuery({ queryKey, queryFn: ask, refetchInterval: everyMs ?? false });
  useSessionOf(answer.error);
  return answer;
}

/** Passes on that the session is over, where `error` says so. */
export function useSessionOf(error: Error | null) {
  const queries = useQueryClient();
  useEffect(() => {
    if (error instanceof CallFailed && error.status === 401) signedOut(queries);
  }, [error, queries]);
}
