// Sends an answer, once. What is sent is handed through and kept nowhere, which is why this is no mutation of the query cache:
// that one keeps its input.

import { useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { answer, CallFailed, said } from "../api/client";
import type { Answer } from "../api/types";
import { signedOut } from "../live/useDashboard";
import { atRest } from "./keyboard";

type Sending =
  | { at: "open" }
  | { at: "sending" }
  | { at: "sent" }
  | { at: "refused"; error: Error };

export function useAnswer(run: string) {
  const queries = useQueryClient();
  const [sending, setSending] = useState<Sending>({ at: "open" });

  async function send(body: Answer) {
    atRest();
    setSending({ at: "sending" });
    try {
      await said(answer({ path: { id: run }, body }));
      setSending({ at: "sent" });
    } catch (error) {
      if (error instanceof CallFailed && error.status === 401) signedOut(queries);
      setSending({
        at: "refused",
        error: error instanceof Error ? error : new Error(String(error)),
      });
    }
  }

  return {
    send: (body: Answer) => void send(body),
    isPending: sending.at === "sending",
    isSent: sending.at === "sent",
    error: sending.at === "refused" ? sending.error : null,
  };
}
