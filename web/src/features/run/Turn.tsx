import { Box, Button, Slider, Stack, Typography } from "@mui/material";
import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { send, type Shape } from "../../api/client";
import { useState } from "react";
import { Knob } from "../../shared/Knob";
import { Failure, Panel } from "../../shared/parts";
import { cap } from "./figures";
import { keyOf, reads } from "./reads";

const TURNABLE = new Set<Shape<"RunState">>(["planned", "running", "paused", "stopping", "stopped", "failed"]);

/** Workers, chunk size, pace of each API: in force within seconds, and marked on the charts with who did it. */
export function Turn({ run, state }: { run: Shape<"RunShape">; state: Shape<"RunState"> }) {
  const client = useQueryClient();
  const change = useMutation({
    mutationFn: (settings: Record<string, string | number>) => send("patch", "/api/v1/runs/{run}/settings", { run: run.id }, { settings }),
    onSettled: () => Promise.all(["run", "commands", "workers"].map((what) => client.invalidateQueries({ queryKey: keyOf(run.id, what) }))),
  });
  const series = useQuery(reads.series(run.id));
  const cores = series.data?.[series.data.length - 1]?.data.host_cores ?? 0;
  if (!TURNABLE.has(state)) return null;
  const set = (name: string) => (value: string) => change.mutate({ [name]: value });
  const { workers, chunk, calls } = run.live;
  return (
    <Panel title="Turn it">
      <Stack sx={{ gap: 1.5 }}>
        <Stack direction="row" sx={{ gap: 1, alignItems: "center" }}>
          <Button variant="outlined" aria-label="one worker less" disabled={workers <= 1 || change.isPending} onClick={() => set("workers")(String(workers - 1))}>−</Button>
          <Knob name="Workers" value={String(workers)} set={set("workers")} />
          <Button variant="outlined" aria-label="one worker more" disabled={change.isPending} onClick={() => set("workers")(String(workers + 1))}>+</Button>
        </Stack>
        <Scale key={workers} workers={workers} cap={cap(workers, cores)} disabled={change.isPending} set={set("workers")} />
        <Knob name="Units in a chunk" value={String(chunk)} set={set("chunk")} />
        {Object.entries(calls).map(([system, limits]) => (
          <Stack key={system} direction="row" sx={{ gap: 1 }}>
            <Knob name={`Pace of ${system}`} value={limits.pace == null ? "off" : `${limits.pace}/s`} set={set(`${system}.pace`)} />
            <Knob name={`In flight to ${system}`} value={String(limits.in_flight ?? "")} set={set(`${system}.in_flight`)} />
          </Stack>
        ))}
        <Typography color="text.secondary">Enter sets a value. Chunks in flight keep what they began with; a worker that has to go ends its chunk first.</Typography>
        {change.error && <Failure error={change.error} />}
      </Stack>
    </Panel>
  );
}

/** Workers by hand: set where it is let go. It ends at twice the host's cores; the field beside it takes more. */
function Scale({ workers, cap, disabled, set }: { workers: number; cap: number; disabled: boolean; set: (value: string) => void }) {
  const [at, setAt] = useState(workers);
  return (
    <Box sx={{ px: 1 }}>
      <Slider
        size="small"
        aria-label="workers, by hand"
        value={at}
        min={1}
        max={cap}
        marks={[{ value: 1, label: "1" }, { value: cap, label: String(cap) }]}
        valueLabelDisplay="auto"
        disabled={disabled}
        onChange={(_, value) => setAt(value)}
        onChangeCommitted={(_, value) => { if (value !== workers) set(String(value)); }}
      />
    </Box>
  );
}
