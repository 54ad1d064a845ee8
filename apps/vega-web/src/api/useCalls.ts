// What the operator can make the server do. Each call says in words what went wrong; what it changes comes by the stream.

import { useMutation, useQueryClient } from "@tanstack/react-query";
import { CallFailed, cancelRun, said, startRun, verify } from "../api/client";
import type { RunWish } from "../api/types";
import { signedOut } from "../live/useBoard";

function useCall<Input, Output>(call: (input: Input) => Promise<Output>) {
  const queries = useQueryClient();
  return useMutation({
    mutationFn: call,
    // A run that is asked for twice is worse than an error.
    retry: false,
    networkMode: "always",
    onError: (error) => {
      if (error instanceof CallFailed && error.status === 401) signedOut(queries);
    },
  });
}

export function useVerify() {
  return useCall(() => said(verify({ body: {} })));
}

export function useStartRun() {
  return useCall((body: RunWish) => said(startRun({ body })));
}

export function useCancelRun(id: string) {
  return useCall(() => said(cancelRun({ path: { id } })));
}
