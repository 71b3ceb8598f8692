import { Alert, Button, Checkbox, FormControlLabel, Stack, TextField } from "@mui/material";
import { useMutation, useQuery } from "@tanstack/react-query";
import { useState } from "react";
import { Link, useNavigate } from "react-router-dom";
import { get, send, type Shape } from "../api/client";
import { finished } from "../api/tasks";
import { moment } from "./format";
import { Failure } from "./parts";
import { shutUntil } from "./spans";
import { asked, type Wanted } from "./asked";
import { Rehearsed } from "./Rehearsed";

export function LaunchForm({ job }: { job: Shape<"JobShape"> }) {
  const go = useNavigate();
  const first = Object.fromEntries((job.parameters ?? []).map((one) => [one.name, one.default == null ? "" : String(one.default)]));
  const [wanted, setWanted] = useState<Wanted>({ parameters: first, workers: "", limit: "", dryRun: false });
  const launch = useMutation({
    mutationFn: async () => finished(await send("post", "/api/v1/runs", {}, asked(job, wanted))),
    onSuccess: (task) => {
      const run = task.run || (typeof task.outcome.run === "string" ? task.outcome.run : "");
      if (run && !wanted.dryRun) go(`/runs/${run}`);
    },
  });
  const set = (change: Partial<Wanted>) => setWanted({ ...wanted, ...change });
  return (
    <form onSubmit={(event) => { event.preventDefault(); launch.mutate(); }}>
      <Stack sx={{ gap: 2 }}>
        {(job.parameters ?? []).map((one) => (
          <TextField
            key={one.name}
            label={one.name}
            helperText={`${one.type}${one.identifying ? ", makes an instance of its own" : ""}`}
            value={wanted.parameters[one.name] ?? ""}
            onChange={(event) => set({ parameters: { ...wanted.parameters, [one.name]: event.target.value } })}
          />
        ))}
        <TextField label="Workers" type="number" helperText="Empty: as the job says. It can be changed while the run goes on." value={wanted.workers} onChange={(event) => set({ workers: event.target.value })} />
        <TextField label="At most so many units" type="number" helperText="Empty: all" value={wanted.limit} onChange={(event) => set({ limit: event.target.value })} />
        <FormControlLabel control={<Checkbox checked={wanted.dryRun} onChange={(event) => set({ dryRun: event.target.checked })} />} label="Dry run: all steps and checks, nothing is written" />
        {!wanted.dryRun && <Shut job={job.name} />}
        {launch.error && <Failure error={launch.error} />}
        {launch.isSuccess && wanted.dryRun && <Rehearsed outcome={launch.data.outcome} />}
        <Button type="submit" variant="contained" size="large" disabled={launch.isPending}>{launch.isPending ? "Planning…" : wanted.dryRun ? "Rehearse" : "Launch"}</Button>
      </Stack>
    </form>
  );
}

/** Said before somebody launches at noon what may work at night only. */
function Shut({ job }: { job: string }) {
  const windows = useQuery({ queryKey: ["windows"], queryFn: () => get("/api/v1/windows") });
  const until = shutUntil(windows.data ?? [], job, Date.now() / 1000);
  if (until === null) return null;
  return <Alert severity="info">The <Link to="/schedules">windows</Link> of {job} are shut {Number.isFinite(until) ? `until ${moment(until)}` : "for two weeks at least"}: the run is planned now, and waits.</Alert>;
}
