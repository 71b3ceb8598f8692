/** When jobs start by themselves: what is due next, what came of the last time, and in whose name. */
import { Button, Stack, Typography } from "@mui/material";
import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { get, send, type Shape } from "../../api/client";
import { May } from "../../api/session";
import { Confirm, type Question } from "../../shared/Confirm";
import { moment } from "../../shared/format";
import { Grid, type Column } from "../../shared/Grid";
import { Empty, Failure, Panel, Told, When } from "../../shared/parts";
import { Secret } from "../../shared/Secret";
import { ScheduleForm } from "./ScheduleForm";
import { Windows } from "./Windows";
import { fireAt, firings, KINDS } from "./wanted";

type Schedule = Shape<"ScheduleShape">;

export default function SchedulesPage() {
  const client = useQueryClient();
  const [question, setQuestion] = useState<Question | null>(null);
  const [form, setForm] = useState<Schedule | "new" | null>(null);
  const [shown, setShown] = useState<Schedule | null>(null);
  const schedules = useQuery({ queryKey: ["schedules"], queryFn: () => get("/api/v1/schedules"), refetchInterval: 10_000 });
  const onSettled = () => client.invalidateQueries({ queryKey: ["schedules"] });
  const change = useMutation({ mutationFn: ({ schedule, enabled }: { schedule: string; enabled: boolean }) => send("patch", "/api/v1/schedules/{schedule}", { schedule }, { enabled }), onSettled });
  const remove = useMutation({ mutationFn: (schedule: string) => send("delete", "/api/v1/schedules/{schedule}", { schedule }), onSettled });
  const renew = useMutation({ mutationFn: (schedule: string) => send("post", "/api/v1/schedules/{schedule}/secret", { schedule }), onSuccess: setShown, onSettled });
  const act = {
    edit: setForm,
    renew: (one: Schedule) => setQuestion({ title: `Another secret for ${one.name}?`, says: "Programs that send the old one are refused from now on.", yes: "Make it", act: () => renew.mutate(one.id) }),
    toggle: (one: Schedule) => change.mutate({ schedule: one.id, enabled: !one.enabled }),
    remove: (one: Schedule) => setQuestion({ title: `Remove ${one.name}?`, says: "It starts nothing any more; runs that it has started go on.", yes: "Remove", act: () => remove.mutate(one.id) }),
  };
  return (
    <Stack sx={{ gap: 2 }}>
      <Typography variant="h1">Schedules</Typography>
      <Panel title="What starts by itself" aside={<May role="editor"><Button variant="contained" onClick={() => setForm("new")}>New schedule</Button></May>}>
        {(change.error ?? remove.error ?? renew.error) && <Failure error={change.error ?? remove.error ?? renew.error} />}
        {shown?.secret && <Secret what={<>Secret of {shown.name}, to be sent as <code>X-Ludb-Token</code> with <code style={{ overflowWrap: "anywhere" }}>POST {fireAt(window.location.origin, shown.id)}</code></>} secret={shown.secret} close={() => setShown(null)} />}
        <Told query={schedules} lines={4}>
          {(found) => found.length === 0
            ? <Empty>Nothing starts by itself: a schedule starts a job at a time, again and again, after another job, when a file arrives, or by webhook.</Empty>
            : <Grid label="schedules" columns={columns(act)} rows={found} keyOf={(one) => one.id} />}
        </Told>
      </Panel>
      <Windows />
      {form && <ScheduleForm schedule={form === "new" ? null : form} close={() => setForm(null)} kept={(made) => { if (made.secret) setShown(made); }} />}
      <Confirm question={question} close={() => setQuestion(null)} />
    </Stack>
  );
}

interface Acts {
  edit: (one: Schedule) => void;
  renew: (one: Schedule) => void;
  toggle: (one: Schedule) => void;
  remove: (one: Schedule) => void;
}

function columns(act: Acts): Column<Schedule>[] {
  return [
    { name: "name", cell: (one) => <b>{one.name}</b> },
    { name: "job", cell: (one) => one.job },
    { name: "when", wide: 150, cell: (one) => <>{KINDS[one.kind].word}{one.spec && <>: <code>{one.spec}</code></>}{(one.kind === "cron" || one.kind === "once") && <Typography component="span" color="text.secondary" sx={{ fontSize: 12 }}> {one.zone}</Typography>}</> },
    { name: "next", tight: true, cell: (one) => <Next of={one} /> },
    { name: "last", tight: true, cell: (one) => (one.last_at ? <When at={one.last_at} /> : "never") },
    { name: "in the name of", cell: (one) => one.owner },
    { name: "note", wide: 140, cell: (one) => one.note || "–" },
    {
      name: "change",
      tight: true,
      cell: (one) => (
        <May role="editor" otherwise="–">
          <Button onClick={() => act.edit(one)} aria-label={`edit ${one.name}`}>Edit</Button>
          {one.kind === "webhook" && <Button onClick={() => act.renew(one)} aria-label={`another secret for ${one.name}`}>Secret</Button>}
          <Button onClick={() => act.toggle(one)} aria-label={`${one.enabled ? "switch off" : "switch on"} ${one.name}`}>{one.enabled ? "Switch off" : "Switch on"}</Button>
          <Button color="error" onClick={() => act.remove(one)} aria-label={`remove ${one.name}`}>Remove</Button>
        </May>
      ),
    },
  ];
}

/** The next time, and those after it where somebody points. */
function Next({ of }: { of: Schedule }) {
  if (!of.enabled) return <Typography component="span" color="text.secondary">switched off</Typography>;
  if (of.kind === "after") return `when ${of.spec} is complete`;
  if (of.kind === "file") return "when such a file arrives";
  if (of.kind === "webhook") return "when it is asked to";
  if (!of.next_at) return "not again";
  const later = firings(of, of.next_at).at.slice(0, 4);
  return <span title={[of.next_at, ...later].map((at) => moment(at)).join("\n")}><When at={of.next_at} /></span>;
}
