// What the operator can make the server do. Each call says in words what went wrong; what it changes comes by the stream, or
// is asked for anew.

import { type QueryKey, useMutation, useQueryClient } from "@tanstack/react-query";
import type { AuditSearch } from "../audit/search";
import { type FileFormat, takeAway } from "../audit/takeAway";
import { signedOut } from "../live/useDashboard";
import {
  CallFailed,
  cancelRun,
  endSession,
  openConsumer,
  revokeKey,
  said,
  startRun,
  stopConsumer,
  verify,
} from "./client";
import { forgetSessionSecret } from "./session";
import type { RunRequest } from "./types";

function useCall<Input, Output>(call: (input: Input) => Promise<Output>, changes?: QueryKey) {
  const queries = useQueryClient();
  return useMutation({
    mutationFn: call,
    // A run that is asked for twice is worse than an error.
    retry: false,
    networkMode: "always",
    onSuccess: () => changes && queries.invalidateQueries({ queryKey: changes }),
    onError: (error) => {
      if (error instanceof CallFailed && error.status === 401) signedOut(queries);
    },
  });
}

export function useVerify() {
  return useCall(() => said(verify({ body: {} })));
}

export function useStartRun() {
  return useCall((body: RunRequest) => said(startRun({ body })));
}

export function useCancelRun(id: string) {
  return useCall(() => said(cancelRun({ path: { id } })));
}

export function useRevokeKey() {
  return useCall((id: string) => said(revokeKey({ path: { id } })), ["keys"]);
}

export function useStopConsumer() {
  return useCall((body: { consumer: string }) => said(stopConsumer({ body })));
}

export function useOpenConsumer() {
  return useCall((body: { consumer: string }) => said(openConsumer({ body })));
}

export function useTakeAway(search: AuditSearch) {
  return useCall((format: FileFormat) => takeAway(search, format));
}

export function useEndSession() {
  const queries = useQueryClient();
  return useCall(() =>
    said(endSession()).then(() => {
      forgetSessionSecret();
      signedOut(queries);
    }),
  );
}
