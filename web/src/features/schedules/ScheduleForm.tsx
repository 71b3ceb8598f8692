import { Button, Dialog, DialogActions, DialogContent, DialogTitle, Stack, TextField, Typography } from "@mui/material";
import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { get, send, type Shape } from "../../api/client";
import { Choice } from "../../shared/Choice";
import { browserZone, moment } from "../../shared/format";
import { Failure } from "../../shared/parts";
import { asked, changeOf, EMPTY, firings, KINDS, OFFERED, wantedOf, type Wanted } from "./wanted";

const ZONES = ["UTC", ...Intl.supportedValuesOf("timeZone").filter((zone) => zone !== "UTC")];

/** A new schedule, or the name and time of one that is there; what it would do next is shown before it is kept. */
export function ScheduleForm({ schedule, close, kept }: { schedule: Shape<"ScheduleShape"> | null; close: () => void; kept: (made: Shape<"ScheduleShape">) => void }) {
  const client = useQueryClient();
  const jobs = useQuery({ queryKey: ["jobs"], queryFn: () => get("/api/v1/jobs") });
  const [held, setHeld] = useState<Wanted>(schedule ? wantedOf(schedule) : { ...EMPTY, zone: browserZone() });
  const known = jobs.data ?? [];
  const names = known.map((job) => job.name);
  const wanted = { ...held, job: held.job || (names[0] ?? ""), spec: held.spec || (held.kind === "after" ? (names[0] ?? "") : "") };
  const set = (change: Partial<Wanted>) => setHeld({ ...wanted, ...change });
  const keep = useMutation({
    mutationFn: () => (schedule ? send("patch", "/api/v1/schedules/{schedule}", { schedule: schedule.id }, changeOf(wanted)) : send("post", "/api/v1/schedules", {}, asked(wanted))),
    onSuccess: (made) => { kept(made); close(); },
    onSettled: () => client.invalidateQueries({ queryKey: ["schedules"] }),
  });
  const parameters = known.find((job) => job.name === wanted.job)?.parameters ?? [];
  return (
    <Dialog open onClose={close} aria-labelledby="schedule-title" fullWidth maxWidth="sm">
      <form onSubmit={(event) => { event.preventDefault(); keep.mutate(); }}>
        <DialogTitle id="schedule-title">{schedule ? `Change ${schedule.name}` : "New schedule"}</DialogTitle>
        <DialogContent>
          <Stack sx={{ gap: 2, pt: 1 }}>
            <TextField label="Name" required autoFocus value={wanted.name} onChange={(event) => set({ name: event.target.value })} />
            {!schedule && <Choice label="Job" value={wanted.job} options={names.map((name) => [name, name] as const)} choose={(job) => set({ job, parameters: {} })} />}
            {!schedule && <Choice label="Kind" value={wanted.kind} options={OFFERED.map((of) => [of, KINDS[of].word] as const)} choose={(of) => set({ kind: of as Wanted["kind"], spec: "" })} />}
            <Time of={wanted} names={names} set={(spec) => set({ spec })} />
            {(wanted.kind === "cron" || wanted.kind === "once") && (
              <>
                <TextField label="Time zone" required value={wanted.zone} onChange={(event) => set({ zone: event.target.value })} slotProps={{ htmlInput: { list: "zones" } }} />
                <datalist id="zones">{ZONES.map((zone) => <option key={zone} value={zone} />)}</datalist>
                <Firings of={wanted} />
              </>
            )}
            {!schedule && parameters.map((one) => (
              <TextField key={one.name} label={one.name} helperText={one.type} value={wanted.parameters[one.name] ?? ""} onChange={(event) => set({ parameters: { ...wanted.parameters, [one.name]: event.target.value } })} />
            ))}
            {!schedule && <TextField label="Workers" type="number" helperText="Empty: as the job says" value={wanted.workers} onChange={(event) => set({ workers: event.target.value })} slotProps={{ htmlInput: { min: 1, max: 1024 } }} />}
            <Typography color="text.secondary">Runs start in your name; if you lose the role for it, the schedule is switched off and says so.</Typography>
            {keep.error && <Failure error={keep.error} />}
          </Stack>
        </DialogContent>
        <DialogActions>
          <Button onClick={close}>Cancel</Button>
          <Button type="submit" variant="contained" disabled={keep.isPending || !wanted.job}>{schedule ? "Save" : "Add"}</Button>
        </DialogActions>
      </form>
    </Dialog>
  );
}

const ABOUT: Partial<Record<Wanted["kind"], string>> = {
  file: "A file written or renamed since the schedule was made, and unchanged for 10 seconds; once for each. {file} in a parameter is its name.",
  webhook: "Whoever has its secret starts the job by one POST. Address and secret are shown once it is added.",
};

function Time({ of, names, set }: { of: Wanted; names: string[]; set: (spec: string) => void }) {
  const kind = KINDS[of.kind];
  const about = ABOUT[of.kind];
  if (of.kind === "webhook") return <Typography color="text.secondary">{about}</Typography>;
  if (of.kind === "after") return <Choice label={kind.spec} value={of.spec} options={names.map((name) => [name, name] as const)} choose={set} />;
  return <TextField label={kind.spec} required placeholder={kind.example} helperText={about} type={of.kind === "once" ? "datetime-local" : "text"} value={of.spec} onChange={(event) => set(event.target.value)} slotProps={{ inputLabel: { shrink: true }, htmlInput: { className: "mono" } }} />;
}

function Firings({ of }: { of: Wanted }) {
  const { at, mistake } = firings(of, Date.now() / 1000);
  return (
    <div role="status" aria-label="next firings" style={{ minHeight: 110 }}>
      {mistake && <Typography color="error">{mistake}</Typography>}
      {at.length > 0 && <>Next, in the schedule’s zone and in yours:<ol style={{ margin: "4px 0 0", paddingLeft: 20 }}>{at.map((one) => <li key={one}>{moment(one, of.zone)}{of.zone !== browserZone() && ` · ${moment(one)}`}</li>)}</ol></>}
    </div>
  );
}
