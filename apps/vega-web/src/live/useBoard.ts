// What the stream says, in the query cache, with how the stream stands: nobody may show the one without the other.

import { type QueryClient, skipToken, useQuery, useQueryClient } from "@tanstack/react-query";
import { useEffect } from "react";
import type { Snapshot } from "../api/types";
import { setServerTime } from "../time/clock";
import { apply } from "./frames";
import { type Connection, listen } from "./stream";

const BOARD = ["board"];
const CONNECTION = ["connection"];

/** Keeps the stream open while it is mounted and there is a session: once per tab. */
export function useStream() {
  const queries = useQueryClient();
  const isOver = useConnection() === "signed_out";
  useEffect(() => {
    if (isOver) return;
    queries.setQueryData(CONNECTION, "connecting" satisfies Connection);
    return listen({
      onConnection: (connection) => queries.setQueryData(CONNECTION, connection),
      onSnapshot: (snapshot) => {
        setServerTime(snapshot.now_unix);
        queries.setQueryData(BOARD, snapshot);
      },
      onChange: (change) => {
        queries.setQueryData<Snapshot>(BOARD, (board) => board && apply(board, change));
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
export function useBoard(): Snapshot | null {
  const { data } = useQuery<Snapshot>({
    queryKey: BOARD,
    queryFn: skipToken,
    staleTime: Infinity,
    gcTime: Infinity,
  });
  return data ?? null;
}

/** Says that the session is over, where a call found it out before the stream did. */
export function signedOut(queries: QueryClient) {
  queries.setQueryData(CONNECTION, "signed_out" satisfies Connection);
}

/** Says that there is a session again: the stream begins anew. */
export function signedIn(queries: QueryClient) {
  queries.setQueryData(CONNECTION, "connecting" satisfies Connection);
}
