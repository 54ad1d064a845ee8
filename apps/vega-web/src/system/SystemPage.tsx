// How the server itself stands: its health, what it runs with, what the last failures left behind, who uses tokens and who else may
// call it.

import { useDashboard } from "../live/useDashboard";
import { ConsumerTable } from "./ConsumerTable";
import { EvidenceList } from "./EvidenceList";
import { HealthPanel } from "./HealthPanel";
import { KeyTable } from "./KeyTable";
import { MachinePanel } from "./MachinePanel";
import { SessionPanel } from "./SessionPanel";
import { SettingTable } from "./SettingTable";

export function SystemPage() {
  const dashboard = useDashboard();
  return (
    <>
      <h1>System</h1>
      <HealthPanel accounts={dashboard?.accounts ?? []} />
      <MachinePanel />
      <EvidenceList />
      <ConsumerTable consumers={dashboard?.consumers ?? []} />
      <KeyTable />
      <SettingTable />
      <SessionPanel />
    </>
  );
}
