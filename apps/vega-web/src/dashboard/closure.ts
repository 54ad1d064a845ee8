// What closes an account, and whether a run waits until it opens: then nobody needs to do what the failure says comes next.

import type { Failure } from "../api/types";
import { useDashboard } from "../live/useDashboard";

interface Closure {
  /** Told once for all APIs of the account; null where it is open. */
  closedBy: Failure | null;
  isWaitedFor: boolean;
}

export function useClosure(name: string): Closure {
  const dashboard = useDashboard();
  const account = dashboard?.accounts.find((one) => one.account === name);
  const run = dashboard?.run;
  return {
    closedBy: (account?.stop ?? account?.cooldown)?.failure ?? null,
    isWaitedFor: run?.under_way === true && run.wait?.account === name,
  };
}

export function isSame(one: Failure | null | undefined, other: Failure | null): boolean {
  return (
    one != null &&
    other !== null &&
    one.reason === other.reason &&
    one.summary === other.summary &&
    one.detail === other.detail
  );
}
