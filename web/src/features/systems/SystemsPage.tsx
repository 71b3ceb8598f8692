/** Systems of all jobs, and how they are. */
import { Stack, Typography } from "@mui/material";
import { useQuery } from "@tanstack/react-query";
import { get } from "../../api/client";
import { Grid } from "../../shared/Grid";
import { Empty, Panel, Told } from "../../shared/parts";

export default function SystemsPage() {
  const systems = useQuery({ queryKey: ["systems"], queryFn: () => get("/api/v1/systems") });
  return (
    <Stack sx={{ gap: 2 }}>
      <Typography variant="h1">Systems</Typography>
      <Panel title="Systems of all jobs">
        <Told query={systems}>
          {(found) => found.length === 0 ? <Empty>No job that loads names a system.</Empty> : (
            <Grid
              label="systems"
              rows={found}
              keyOf={(one) => `${one.job} ${one.name}`}
              columns={[
                { name: "system", cell: (one) => <b>{one.name}</b> },
                { name: "job", cell: (one) => one.job },
                { name: "type", mono: true, cell: (one) => one.type },
                { name: "used as", cell: (one) => one.roles.join(", ") },
                { name: "named by", mono: true, cell: (one) => one.variables.join(", ") || "–" },
              ]}
            />
          )}
        </Told>
      </Panel>
    </Stack>
  );
}
