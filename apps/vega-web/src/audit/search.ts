// Which entries of the audit trail are looked for. It stands in the page's address, so that it survives a reload and can be
// passed on; days are India's.

import { AuditKind } from "../generated/client/types.gen";
import { dayAfter, istMidnight } from "../time/ist";

export interface AuditSearch {
  /** Words that an entry holds. */
  q?: string;
  account?: string;
  api?: string;
  kind?: AuditKind;
  run?: string;
  /** The first day, as "2026-11-25". */
  from?: string;
  /** The last day. */
  to?: string;
}

/** What each field may be; of a select, whatever stands in its list. */
const FITS: Record<keyof AuditSearch, (text: string) => boolean> = {
  q: (text) => text.length <= 200,
  account: (text) => /^[a-z0-9][a-z0-9_-]*$/.test(text),
  api: (text) => /^([a-z][a-z0-9_]*|@[a-z0-9][a-z0-9_-]*)$/i.test(text),
  kind: (text) => Object.values<string>(AuditKind).includes(text),
  run: (text) => /^[0-9a-f-]{36}$/.test(text),
  from: isDay,
  to: isDay,
};

/** From an address, in which anything may stand: what is no search is left out. */
export function searchOf(address: Record<string, unknown>): AuditSearch {
  const fields = Object.entries(FITS).flatMap(([field, fits]) => {
    const value = address[field];
    // A router reads `?q=123` as a number.
    const text = typeof value === "number" ? String(value) : value;
    if (typeof text !== "string" || text === "" || !fits(text)) {
      return [];
    }
    // As it stands in the list of APIs; an account's analytics token is called `@account`.
    return [[field, field === "api" && !text.startsWith("@") ? text.toUpperCase() : text]];
  });
  return Object.fromEntries(fields) as AuditSearch;
}

function isDay(text: string): boolean {
  return /^\d{4}-\d\d-\d\d$/.test(text) && !Number.isNaN(Date.parse(text));
}

/** As the server is asked. */
export function queryOf({ from, to, ...rest }: AuditSearch) {
  return {
    ...rest,
    ...(from && { since: istMidnight(from) }),
    ...(to && { until: istMidnight(dayAfter(to)) }),
  };
}
