// What the stream says, in the query cache, with how the stream stands: nobody may show the one without the other.

import { type QueryClient, skipToken, useQuery, useQueryClient } from "@tanstack/react-query";
import { useEffect } from "react";
import type { Snapshot } from "../api/types";
import { serverTimeOf, setServerTime } from "../time/clock";
import { apply } from "./frames";
import { type Connection, listen } from "./stream";

const DASHBOARD = ["dashboard"];
const CONNECTION = ["connection"];
const STREAMED: unknown[] = [...DASHBOARD, ...CONNECTION];

/** Keeps the stream open while it is mounted and there is a session: once per tab. */
export function useStream() {
  const queries = useQueryClient();
  const isOver = useConnection() === "signed_out";
  useEffect(() => {
    if (isOver) return;
    queries.setQueryData(CONNECTION, "connecting" satisfies Connection);
    let wasGone = false;
    return listen({
      onConnection: (connection) => {
        if (connection === "signed_out") return signedOut(queries);
        queries.setQueryData(CONNECTION, connection);
        if (connection === "live" && wasGone) void askAgain(queries);
        wasGone = connection === "gone";
      },
      onSnapshot: (snapshot) => {
        setServerTime(snapshot.now_unix);
        queries.setQueryData(DASHBOARD, snapshot);
      },
      onChange: (change) => {
        queries.setQueryData<Snapshot>(
          DASHBOARD,
          (dashboard) => dashboard && apply(dashboard, change),
        );
      },
    });
  }, [queries, isOver]);
}

export function useConnection(): Connection {
  const { data } = useQuery<Connection>({
    queryKey: CONNECTION,
    queryFn: skipToken,
    staleTime: Infinity,
    gcTime: Infinity,
  });
  return data ?? "connecting";
}

/** Null until the first snapshot. It is old when the connection is not `live`. */
export function useDashboard(): Snapshot | null {
  return useDashboardQuery().data ?? null;
}

/** When the dashboard was last heard of, in Unix seconds of the server's clock. */
export function useDashboardTime(): number {
  return serverTimeOf(useDashboardQuery().dataUpdatedAt);
}

function useDashboardQuery() {
  return useQuery<Snapshot>({
    queryKey: DASHBOARD,
    queryFn: skipToken,
    staleTime: Infinity,
    gcTime: Infinity,
  });
}

/** Asks for all that the stream does not tell: the server that came back may be another. */
function askAgain(queries: QueryClient) {
  return queries.invalidateQueries({
    predicate: ({ queryKey }) => !STREAMED.includes(queryKey[0]),
  });
}

/** Says that the session is over, and forgets what was learned in it. */
export function signedOut(queries: QueryClient) {
  queries.removeQueries({ predicate: ({ queryKey }) => queryKey[0] !== CONNECTION[0] });
  queries.getMutationCache().clear();
  queries.setQueryData(CONNECTION, "signed_out" satisfies Connection);
}

/** Says that there is a session again: the stream begins anew. */
export function signedIn(queries: QueryClient) {
  queries.setQueryData(CONNECTION, "connecting" satisfies Connection);
}
