import { Box, Button } from "@mui/material";
import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { get, send, type Shape } from "../../api/client";
import { May } from "../../api/session";
import { Confirm, type Question } from "../../shared/Confirm";
import { moment } from "../../shared/format";
import { Grid, type Column } from "../../shared/Grid";
import { Empty, Failure, Panel, Told, When } from "../../shared/parts";
import { spanText, stretches } from "../../shared/spans";
import { WindowForm } from "./WindowForm";

type Window = Shape<"WindowShape">;

/** When runs of a job may work at all: what is open now, and until when. */
export function Windows() {
  const client = useQueryClient();
  const [form, setForm] = useState<Window | "new" | null>(null);
  const [question, setQuestion] = useState<Question | null>(null);
  const windows = useQuery({ queryKey: ["windows"], queryFn: () => get("/api/v1/windows"), refetchInterval: 30_000 });
  const onSettled = () => client.invalidateQueries({ queryKey: ["windows"] });
  const change = useMutation({ mutationFn: (one: Window) => send("patch", "/api/v1/windows/{window}", { window: one.id }, { enabled: !one.enabled }), onSettled });
  const remove = useMutation({ mutationFn: (one: Window) => send("delete", "/api/v1/windows/{window}", { window: one.id }), onSettled });
  const acts: Acts = {
    edit: setForm,
    toggle: (one) => (one.enabled ? setQuestion({ title: `Switch ${one.name} off?`, says: `Runs of ${one.job} that wait for it go on within seconds, at any time of day, unless another window of the job holds them.`, yes: "Switch off", act: () => change.mutate(one) }) : setQuestion({ title: `Switch ${one.name} on?`, says: `Runs of ${one.job} that go on outside of it end their chunks in flight within seconds, and wait for it.`, yes: "Switch on", act: () => change.mutate(one) })),
    remove: (one) => setQuestion({ title: `Remove ${one.name}?`, says: `Runs of ${one.job} that wait for it go on within seconds, at any time of day, unless another window of the job holds them.`, yes: "Remove", act: () => remove.mutate(one) }),
  };
  const failed = change.error ?? remove.error;
  return (
    <Panel title="When runs may work" aside={<May role="editor"><Button variant="contained" onClick={() => setForm("new")}>New window</Button></May>}>
      {failed && <Failure error={failed} />}
      <Told query={windows} lines={3}>
        {(found) => found.length === 0
          ? <Empty>Runs work at any time. A window, such as 22:00 – 05:00, has the runs of a job pause when it closes and go on when it opens.</Empty>
          : <Grid label="windows" columns={columns(acts)} rows={[...found].sort((a, b) => a.job.localeCompare(b.job) || a.name.localeCompare(b.name))} keyOf={(one) => one.id} />}
      </Told>
      {form && <WindowForm window={form === "new" ? null : form} close={() => setForm(null)} />}
      <Confirm question={question} close={() => setQuestion(null)} />
    </Panel>
  );
}

interface Acts {
  edit: (one: Window) => void;
  toggle: (one: Window) => void;
  remove: (one: Window) => void;
}

function columns(act: Acts): Column<Window>[] {
  return [
    { name: "name", cell: (one) => <b>{one.name}</b> },
    { name: "now", wide: 110, cell: (one) => <Now of={one} /> },
    { name: "job", cell: (one) => one.job },
    { name: "open", wide: 180, cell: (one) => <>{one.spans.map((span, index) => <div key={index}>{spanText(span)}</div>)}<Box component="span" sx={{ color: "text.secondary", fontSize: 12 }}>{one.zone}</Box></> },
    { name: "changed", tight: true, cell: (one) => <><When at={one.changed_at} /> by {one.changed_by}</> },
    {
      name: "change",
      tight: true,
      cell: (one) => (
        <May role="editor" otherwise="–">
          <Button onClick={() => act.edit(one)} aria-label={`edit ${one.name}`}>Edit</Button>
          <Button onClick={() => act.toggle(one)} aria-label={`${one.enabled ? "switch off" : "switch on"} ${one.name}`}>{one.enabled ? "Switch off" : "Switch on"}</Button>
          <Button color="error" onClick={() => act.remove(one)} aria-label={`remove ${one.name}`}>Remove</Button>
        </May>
      ),
    },
  ];
}

/** Whether it is open by the reader's clock, and when that changes. */
function Now({ of }: { of: Window }) {
  if (!of.enabled) return <Box component="span" sx={{ color: "text.secondary" }}>○ off</Box>;
  const now = Date.now() / 1000;
  const next = stretches(of.spans, of.zone, now)?.[0];
  if (!next) return "does not open within two weeks";
  const open = next.begin <= now;
  return <><Box component="b" sx={{ color: `var(--s-${open ? "done" : "paused"})` }}>{open ? "● open" : "‖ shut"}</Box> until {moment(open ? next.end : next.begin)}</>;
}
