import { Stack, Typography } from "@mui/material";
import { useMutation, useQueryClient } from "@tanstack/react-query";
import { Link } from "react-router-dom";
import { send } from "../../api/client";
import { Knob } from "../../shared/Knob";
import { Failure, Panel } from "../../shared/parts";
import type { Run } from "./health";

/** How hard a run may call a system: in force within seconds, marked on the lines with who did it. */
export function Limits({ run, system }: { run: Run; system: string }) {
  const client = useQueryClient();
  const change = useMutation({
    mutationFn: (settings: Record<string, string>) => send("patch", "/api/v1/runs/{run}/settings", { run: run.id }, { settings }),
    onSettled: () => client.invalidateQueries({ queryKey: ["runs"] }),
  });
  const limits = run.live.calls[system];
  return (
    <Panel title="Turn it" aside={<Link className="mono" to={`/runs/${run.id}`}>{run.id}</Link>}>
      <Stack sx={{ gap: 1.5, mt: 1 }}>
        <Stack direction="row" sx={{ gap: 1 }}>
          <Knob name={`Pace of ${system}`} value={limits?.pace == null ? "off" : `${limits.pace}/s`} set={(value) => change.mutate({ [`${system}.pace`]: value })} />
          <Knob name={`In flight to ${system}`} value={String(limits?.in_flight ?? "")} set={(value) => change.mutate({ [`${system}.in_flight`]: value })} />
        </Stack>
        <Typography color="text.secondary">Enter sets a value. Pace is of all workers together (100/s, 6000/m, off); in flight is of each worker. Requests on their way end first.</Typography>
        {change.error && <Failure error={change.error} />}
      </Stack>
    </Panel>
  );
}
