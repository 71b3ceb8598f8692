/** What needs a person, by which rules that is raised, and who is told how. */
import { Stack, Typography } from "@mui/material";
import { useSearchParams } from "react-router-dom";
import { Tabs } from "../../shared/Tabs";
import { Channels } from "./Channels";
import { List } from "./List";
import { Rules } from "./Rules";

const TABS = ["alerts", "rules", "channels"] as const;

export default function AlertsPage() {
  const [params] = useSearchParams();
  const tab = TABS.find((one) => one === params.get("tab")) ?? "alerts";
  return (
    <Stack sx={{ gap: 2 }}>
      <Typography variant="h1">Alerts</Typography>
      <Tabs label="parts of the alerts" tabs={TABS} tab={tab} />
      {tab === "alerts" && <List />}
      {tab === "rules" && <Rules />}
      {tab === "channels" && <Channels />}
    </Stack>
  );
}
