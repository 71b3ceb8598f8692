import { Box, Button, Dialog, DialogActions, DialogContent, DialogTitle, Stack, TextField, Typography } from "@mui/material";
import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { get, send, type Shape } from "../../api/client";
import { Choice } from "../../shared/Choice";
import { browserZone, duration, moment } from "../../shared/format";
import { Failure } from "../../shared/parts";
import { DAYS, stretches, type Span } from "../../shared/spans";

const ZONES = ["UTC", ...Intl.supportedValuesOf("timeZone").filter((zone) => zone !== "UTC")];
const CLOCK = /^([01]\d|2[0-3]):[0-5]\d$/;
const NIGHTS: Span = { begin: "22:00", end: "05:00", days: null };

/** A window and its spans; when it would be open next is shown before it is kept. */
export function WindowForm({ window, close }: { window: Shape<"WindowShape"> | null; close: () => void }) {
  const client = useQueryClient();
  const jobs = useQuery({ queryKey: ["jobs"], queryFn: () => get("/api/v1/jobs") });
  const names = (jobs.data ?? []).map((one) => one.name);
  const [name, setName] = useState(window?.name ?? "");
  const [chosen, setJob] = useState(window?.job ?? "");
  const [zone, setZone] = useState(window?.zone ?? browserZone());
  const [spans, setSpans] = useState<Span[]>(window?.spans ?? [NIGHTS]);
  const job = chosen || (names[0] ?? "");
  const keep = useMutation({
    mutationFn: () => (window ? send("patch", "/api/v1/windows/{window}", { window: window.id }, { name, zone, spans }) : send("post", "/api/v1/windows", {}, { name, job, zone, spans, enabled: true })),
    onSuccess: close,
    onSettled: () => client.invalidateQueries({ queryKey: ["windows"] }),
  });
  const set = (at: number, to: Span) => setSpans(spans.map((one, index) => (index === at ? to : one)));
  return (
    <Dialog open onClose={close} aria-labelledby="window-title" fullWidth maxWidth="sm">
      <form onSubmit={(event) => { event.preventDefault(); keep.mutate(); }}>
        <DialogTitle id="window-title">{window ? `Change ${window.name}` : "New window"}</DialogTitle>
        <DialogContent>
          <Stack sx={{ gap: 2, pt: 1 }}>
            <TextField label="Name" required autoFocus placeholder="nights" value={name} onChange={(event) => setName(event.target.value)} />
            {!window && <Choice label="Job" value={job} options={names.map((one) => [one, one] as const)} choose={setJob} />}
            <TextField label="Time zone" required value={zone} onChange={(event) => setZone(event.target.value)} slotProps={{ htmlInput: { list: "window-zones" } }} />
            <datalist id="window-zones">{ZONES.map((one) => <option key={one} value={one} />)}</datalist>
            {spans.map((one, index) => <OneSpan key={index} span={one} of={index + 1} set={(to) => set(index, to)} remove={spans.length > 1 ? () => setSpans(spans.filter((_, at) => at !== index)) : null} />)}
            <Box><Button variant="outlined" onClick={() => setSpans([...spans, NIGHTS])}>Another span</Button></Box>
            <Next spans={spans} zone={zone} />
            <Typography color="text.secondary">In force within seconds: runs that go on outside end their chunks in flight and wait; several windows of a job add up.</Typography>
            {keep.error && <Failure error={keep.error} />}
          </Stack>
        </DialogContent>
        <DialogActions>
          <Button onClick={close}>Cancel</Button>
          <Button type="submit" variant="contained" disabled={keep.isPending || !job || spans.some((one) => one.days?.length === 0)}>{window ? "Save" : "Add"}</Button>
        </DialogActions>
      </form>
    </Dialog>
  );
}

interface Asked {
  span: Span;
  of: number;
  set: (to: Span) => void;
  remove: (() => void) | null;
}

function OneSpan({ span, of, set, remove }: Asked) {
  const chosen = span.days ?? DAYS;
  const toggle = (day: (typeof DAYS)[number]) => {
    const days = DAYS.filter((one) => (one === day ? !chosen.includes(one) : chosen.includes(one)));
    set({ ...span, days: days.length === DAYS.length ? null : days });
  };
  const time = (name: "begin" | "end", label: string) => (
    <TextField label={label} required placeholder="22:00" value={span[name]} onChange={(event) => set({ ...span, [name]: event.target.value })} slotProps={{ inputLabel: { shrink: true }, htmlInput: { pattern: CLOCK.source, title: "A time of day, such as 22:00", inputMode: "numeric", maxLength: 5 } }} sx={{ width: { xs: 128, sm: 140 } }} />
  );
  return (
    <Stack role="group" aria-label={`span ${of}`} direction="row" sx={{ columnGap: 1, rowGap: 1.5, flexWrap: "wrap", alignItems: "center" }}>
      {time("begin", "Opens")}
      {time("end", span.end <= span.begin ? "Closes, next day" : "Closes")}
      <Stack direction="row" sx={{ flexWrap: "wrap", gap: 0.5 }}>
        {DAYS.map((day) => <Button key={day} aria-pressed={chosen.includes(day)} variant={chosen.includes(day) ? "contained" : "outlined"} onClick={() => toggle(day)} sx={{ minWidth: 0, px: 0.75, boxShadow: "none" }}>{day}</Button>)}
      </Stack>
      {remove && <Button color="error" onClick={remove} aria-label={`remove span ${of}`}>Remove</Button>}
      {chosen.length === 0 && <Typography color="error">Choose a day on which it opens.</Typography>}
    </Stack>
  );
}

function Next({ spans, zone }: { spans: Span[]; zone: string }) {
  const whole = spans.filter((one) => CLOCK.test(one.begin) && CLOCK.test(one.end));
  const found = stretches(whole, zone, Date.now() / 1000);
  return (
    <Box role="status" aria-label="open next" sx={{ minHeight: 76 }}>
      {found === null && <Typography color="error">There is no time zone {zone}.</Typography>}
      {found?.length === 0 && whole.length === spans.length && <Typography color="error">It does not open within two weeks.</Typography>}
      {found && found.length > 0 && <>Open next, in its zone{zone !== browserZone() && " and in yours"}:<ol style={{ margin: "4px 0 0", paddingLeft: 20 }}>{found.slice(0, 3).map((one) => <li key={one.begin}>{moment(one.begin, zone)} for {duration(one.end - one.begin)}{zone !== browserZone() && ` · ${moment(one.begin)}`}</li>)}</ol></>}
    </Box>
  );
}
