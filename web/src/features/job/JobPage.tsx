/** One job: what its unit is, what is done with it, where each column comes from, and the way to start it. */
import { Box, Stack, Typography } from "@mui/material";
import { useQuery } from "@tanstack/react-query";
import { Link, useParams } from "react-router-dom";
import { get, Problem } from "../../api/client";
import { May } from "../../api/session";
import { Facts } from "../../shared/Facts";
import { LaunchForm } from "../../shared/LaunchForm";
import { Failure, Panel, Told } from "../../shared/parts";
import { useTitle } from "../../shared/title";
import { Outputs, Preflight, Versions } from "./About";
import { Lineage } from "./Lineage";
import { Steps } from "./Steps";
import { UnitGraph } from "./UnitGraph";

const TWO = { display: "grid", gap: 2, alignItems: "start", gridTemplateColumns: { xs: "minmax(0, 1fr)", md: "minmax(0, 2fr) minmax(0, 1fr)" } };

/** A setting in words: of a group, what is set. */
const spoken = (value: unknown): string =>
  value !== null && typeof value === "object" ? Object.entries(value).filter(([, one]) => one !== null).map(([name, one]) => `${name} ${String(one)}`).join(", ") || "none" : String(value ?? "none");

export default function JobPage() {
  const { job: name = "" } = useParams();
  useTitle(`job ${name}`);
  const job = useQuery({ queryKey: ["jobs", name], queryFn: () => get("/api/v1/jobs/{job}", { job: name }) });
  return (
    <Stack sx={{ gap: 2 }}>
      <Stack direction="row" sx={{ gap: 2, alignItems: "baseline", flexWrap: "wrap" }}>
        <Typography variant="h1">Job {name}</Typography>
        {job.data?.version && <span>version <code>{job.data.version}</code></span>}
        <Link to={`/calls?job=${encodeURIComponent(name)}`}>its calls</Link>
      </Stack>
      <Told query={job} lines={12}>
        {(found) => (!found.loads ? <Failure error={new Problem(422, { detail: `the job ${name} does not load`, errors: found.errors })} again={() => void job.refetch()} /> : (
          <>
            <Box sx={TWO}>
              <Stack sx={{ gap: 2, minWidth: 0 }}><UnitGraph job={found} /><Preflight job={name} /><Versions job={name} /></Stack>
              <Stack sx={{ gap: 2, minWidth: 0 }}>
                <May role="operator"><Panel title="Start it"><Box sx={{ mt: 1 }}><LaunchForm job={found} /></Box></Panel></May>
                <Panel title="Settings"><Facts of={Object.entries(found.settings ?? {}).map(([key, value]) => [key, <code>{spoken(value)}</code>] as const)} /></Panel>
              </Stack>
            </Box>
            <Steps job={found} />
            <Lineage job={name} />
            <Outputs job={found} />
          </>
        ))}
      </Told>
    </Stack>
  );
}
