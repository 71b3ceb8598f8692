/** Starts a job: its declared parameters, how many workers, or a dry run. */
import { Stack, TextField, Typography } from "@mui/material";
import { useQuery } from "@tanstack/react-query";
import { useSearchParams } from "react-router-dom";
import { get } from "../../api/client";
import { roleMay, useSession } from "../../api/session";
import { Empty, Failure, Panel, Told } from "../../shared/parts";
import { Problem } from "../../api/client";
import { LaunchForm } from "../../shared/LaunchForm";

export default function LaunchPage() {
  const session = useSession();
  const [params, setParams] = useSearchParams();
  const jobs = useQuery({ queryKey: ["jobs"], queryFn: () => get("/api/v1/jobs") });
  if (!roleMay(session.role, "operator")) return <Empty>Starting runs needs the role operator.</Empty>;
  return (
    <Stack sx={{ gap: 2, maxWidth: 720 }}>
      <Typography variant="h1">Launch</Typography>
      <Told query={jobs}>
        {(found) => {
          const job = found.find((one) => one.name === params.get("job")) ?? found[0];
          if (!job) return <Empty>This server knows no job: start it with <code>ludb serve JOB</code>.</Empty>;
          return (
            <Panel title="What shall run?">
              <Stack sx={{ gap: 2, mt: 1 }}>
                <TextField select label="Job" value={job.name} onChange={(event) => setParams({ job: event.target.value })} slotProps={{ select: { native: true } }}>
                  {found.map((one) => <option key={one.name}>{one.name}</option>)}
                </TextField>
                {job.loads
                  ? <><span>{job.steps} steps, {job.outputs?.length ?? 0} outputs, version <code>{job.version}</code></span><LaunchForm key={job.name} job={job} /></>
                  : <Failure error={new Problem(422, { detail: `the job ${job.name} does not load`, errors: job.errors })} />}
              </Stack>
            </Panel>
          );
        }}
      </Told>
    </Stack>
  );
}
