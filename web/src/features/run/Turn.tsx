import { Button, Stack, TextField, Typography } from "@mui/material";
import { useMutation, useQueryClient } from "@tanstack/react-query";
import { useEffect, useState } from "react";
import { send, type Shape } from "../../api/client";
import { Failure, Panel } from "../../shared/parts";
import { keyOf } from "./live";

const TURNABLE = new Set<Shape<"RunState">>(["planned", "running", "paused", "stopping", "stopped", "failed"]);

/** Workers, chunk size, pace of each API: in force within seconds, and marked on the charts with who did it. */
export function Turn({ run, state }: { run: Shape<"RunShape">; state: Shape<"RunState"> }) {
  const client = useQueryClient();
  const change = useMutation({
    mutationFn: (settings: Record<string, string | number>) => send("patch", "/api/v1/runs/{run}/settings", { run: run.id }, { settings }),
    onSettled: () => Promise.all(["run", "commands", "workers"].map((what) => client.invalidateQueries({ queryKey: keyOf(run.id, what) }))),
  });
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

/** A value that is set by Enter; leaving the field without Enter takes it back. */
function Knob({ name, value, set }: { name: string; value: string; set: (value: string) => void }) {
  const [text, setText] = useState(value);
  useEffect(() => setText(value), [value]);
  return (
    <form style={{ flex: 1, minWidth: 0 }} onSubmit={(event) => { event.preventDefault(); if (text !== value) set(text.trim()); }}>
      <TextField
        fullWidth
        label={name}
        value={text}
        onChange={(event) => setText(event.target.value)}
        onBlur={() => setText(value)}
        helperText={text === value ? undefined : "Enter to set"}
      />
    </form>
  );
}
