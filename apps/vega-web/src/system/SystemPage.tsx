// How the server itself stands: its health, what it runs with, what the last failures left behind, who else may call it.

import { KeyTable } from "./KeyTable";
import { SessionPanel } from "./SessionPanel";
import { SettingTable } from "./SettingTable";

export function SystemPage() {
  return (
    <>
      <h1>System</h1>
      <KeyTable />
      <SettingTable />
      <SessionPanel />
    </>
  );
}
