/** How the server is set up, one's own account, how pages look, and what is kept for how long. */
import { Box, Stack, Typography, useColorScheme } from "@mui/material";
import { useQuery } from "@tanstack/react-query";
import { get } from "../../api/client";
import { May, useSession } from "../../api/session";
import { Choice } from "../../shared/Choice";
import { browserZone, moment } from "../../shared/format";
import { Facts } from "../../shared/Facts";
import { Panel, Told } from "../../shared/parts";
import { Password } from "./Password";
import { Retention } from "./Retention";

const TWO = { display: "grid", gap: 2, alignItems: "start", gridTemplateColumns: { xs: "minmax(0, 1fr)", md: "minmax(0, 1fr) minmax(0, 1fr)" } };

export default function SettingsPage() {
  return (
    <Stack sx={{ gap: 2 }}>
      <Typography variant="h1">Settings</Typography>
      <Box sx={TWO}>
        <Stack sx={{ gap: 2 }}>
          <Account />
          <Appearance />
        </Stack>
        <Server />
      </Box>
      <May role="admin"><Retention /></May>
    </Stack>
  );
}

function Account() {
  const { user, role, personal, expires_at } = useSession();
  return (
    <Panel title="You">
      <Facts of={[["user", user], ["role", role], ["personal data", personal ? "shown" : "masked"], ["session ends", moment(expires_at)]]} />
      <Password />
    </Panel>
  );
}

function Appearance() {
  const { mode, setMode } = useColorScheme();
  return (
    <Panel title="Appearance">
      <Stack direction="row" sx={{ gap: 2, mt: 1, alignItems: "center", flexWrap: "wrap" }}>
        <Choice label="Colours" value={mode ?? "system"} options={[["system", "as the system"], ["light", "light"], ["dark", "dark"]]} choose={(wanted) => setMode(wanted as "system" | "light" | "dark")} />
        <span>Times are in your zone: {browserZone()}</span>
      </Stack>
    </Panel>
  );
}

function Server() {
  const info = useQuery({ queryKey: ["info"], queryFn: () => get("/info"), refetchInterval: 30_000 });
  return (
    <Panel title="This server">
      <Told query={info}>
        {(told) => {
          const skew = told.now - info.dataUpdatedAt / 1000;
          return <Facts of={[["version", told.version], ["host", told.host], ["repository", <code key="r">{told.repository}</code>], ["clock", `${moment(told.now)}${Math.abs(skew) > 5 ? `: ${Math.round(Math.abs(skew))} s ${skew > 0 ? "ahead of" : "behind"} yours` : ""}`]]} />;
        }}
      </Told>
      <May role="admin"><SetUp /></May>
    </Panel>
  );
}

function SetUp() {
  const settings = useQuery({ queryKey: ["settings"], queryFn: () => get("/api/v1/settings") });
  return (
    <Box sx={{ mt: 1.5 }}>
      <Told query={settings}>
        {(told) => (
          <>
            <Facts
              of={[
                ["state directory", <code key="s">{told.state}</code>],
                ["jobs", told.jobs.length ? told.jobs.map((job) => <div key={job}><code>{job}</code></div>) : "none"],
                ["connections", told.tls ? "encrypted (TLS)" : told.behind_proxy ? "encrypted by the proxy in front" : "this machine only, not encrypted"],
                ["sessions", `end after ${told.session_hours} hours, or ${told.idle_minutes} minutes without use`],
                ["runs without a supervisor", told.adopt ? "are held again" : "are left to people"],
              ]}
            />
            <Typography color="text.secondary" sx={{ mt: 1 }}>It is changed by starting the server anew: <code>ludb serve --help</code>.</Typography>
          </>
        )}
      </Told>
    </Box>
  );
}
