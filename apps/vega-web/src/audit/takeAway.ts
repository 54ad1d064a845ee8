// Saves all that is looked for in the audit trail as a file. It is fetched as every call is: a link of its own could not show
// the session's second secret.

import { exportAudit, said } from "../api/client";
import { type AuditSearch, queryOf } from "./search";

export type FileFormat = "csv" | "json";

export async function takeAway(search: AuditSearch, format: FileFormat) {
  const call = exportAudit({ query: { ...queryOf(search), format }, parseAs: "blob" });
  const file: unknown = await said(call);
  const { response } = await call;
  save(file as Blob, nameOf(response) ?? `vega-audit.${format}`);
}

/** As the server calls it. */
function nameOf(response: Response | undefined): string | undefined {
  return /filename="([\w.-]+)"/.exec(response?.headers.get("content-disposition") ?? "")?.[1];
}

function save(file: Blob, name: string) {
  const address = URL.createObjectURL(file);
  const link = document.createElement("a");
  link.href = address;
  link.download = name;
  link.click();
  // By then the browser has begun to read it.
  setTimeout(() => URL.revokeObjectURL(address), 60_000);
}
