import { Alert, Button } from "@mui/material";
import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { get, send } from "../../api/client";
import { roleMay, useSession } from "../../api/session";
import { Confirm, type Question } from "../../shared/Confirm";
import { Grid, type Column } from "../../shared/Grid";
import { Empty, Failure, Panel, Sign, Told, When } from "../../shared/parts";
import { SEVERITY_LOOK } from "../../shared/states";
import { asked, tells, wantedOf, type Channel } from "./channel";
import { ChannelForm } from "./ChannelForm";

/** How people are told, for editors: others would see addresses that are none of theirs. */
export function Channels() {
  const { role } = useSession();
  if (!roleMay(role, "editor")) return <Panel title="Who is told"><Empty>Channels are seen and changed by editors; you are {role}.</Empty></Panel>;
  return <All />;
}

function All() {
  const client = useQueryClient();
  const [form, setForm] = useState<Channel | "new" | null>(null);
  const [question, setQuestion] = useState<Question | null>(null);
  const channels = useQuery({ queryKey: ["alert-channels"], queryFn: () => get("/api/v1/alert-channels") });
  const onSettled = () => Promise.all([["alert-channels"], ["alert-rules"]].map((queryKey) => client.invalidateQueries({ queryKey })));
  const change = useMutation({ mutationFn: (one: Channel) => send("put", "/api/v1/alert-channels/{channel}", { channel: one.id }, { ...asked(wantedOf(one)), enabled: !one.enabled }), onSettled });
  const remove = useMutation({ mutationFn: (one: Channel) => send("delete", "/api/v1/alert-channels/{channel}", { channel: one.id }), onSettled });
  const test = useMutation({ mutationFn: (one: Channel) => send("post", "/api/v1/alert-channels/{channel}/try", { channel: one.id }) });
  const failed = change.error ?? remove.error ?? test.error;
  const acts: Acts = {
    busy: test.isPending ? test.variables.id : "",
    test: (one) => test.mutate(one),
    edit: setForm,
    toggle: (one) => change.mutate(one),
    remove: (one) => setQuestion({ title: `Remove ${one.name}?`, says: "Nobody is told by it any more; rules that name it tell their others.", yes: "Remove", act: () => remove.mutate(one) }),
  };
  return (
    <Panel title="Who is told" aside={<Button variant="contained" onClick={() => setForm("new")}>New channel</Button>}>
      {failed && <Failure error={failed} />}
      {test.data && (
        <Alert severity={test.data.told ? "success" : "error"} sx={{ mb: 1 }} onClose={() => test.reset()}>
          {test.data.told ? `${test.variables?.name} works: what came there says that somebody tries it.` : `${test.variables?.name} does not work: ${test.data.reason}`}
        </Alert>
      )}
      <Told query={channels} lines={3}>
        {(found) => found.length === 0
          ? <Empty>Nobody is told yet: alerts stand on these pages alone, and at <code>$LUDB_ALERT_WEBHOOK</code> if the server has it. A channel posts them to an address, or mails them.</Empty>
          : <Grid label="channels" columns={columns(acts)} rows={found} keyOf={(one) => one.id} />}
      </Told>
      {form && <ChannelForm channel={form === "new" ? null : form} close={() => setForm(null)} />}
      <Confirm question={question} close={() => setQuestion(null)} />
    </Panel>
  );
}

interface Acts {
  busy: string;
  test: (one: Channel) => void;
  edit: (one: Channel) => void;
  toggle: (one: Channel) => void;
  remove: (one: Channel) => void;
}

function columns(act: Acts): Column<Channel>[] {
  return [
    { name: "name", tight: true, cell: (one) => <b>{one.name}</b> },
    { name: "kind", cell: (one) => (one.kind === "smtp" ? "mail" : "webhook") },
    { name: "tells", wide: 180, mono: true, cell: tells },
    { name: "from", tight: true, cell: (one) => <Sign look={SEVERITY_LOOK[one.least]} /> },
    { name: "works", tight: true, cell: (one) => (one.enabled ? "on" : "○ off") },
    { name: "changed", tight: true, cell: (one) => <><When at={one.changed_at} /> by {one.changed_by}</> },
    {
      name: "change",
      tight: true,
      cell: (one) => (
        <>
          <Button disabled={act.busy !== ""} onClick={() => act.test(one)} aria-label={`Send a test by ${one.name}`}>{"Send a test"}</Button>
          <Button onClick={() => act.edit(one)} aria-label={`edit ${one.name}`}>Edit</Button>
          <Button onClick={() => act.toggle(one)} aria-label={`${one.enabled ? "switch off" : "switch on"} ${one.name}`}>{one.enabled ? "Switch off" : "Switch on"}</Button>
          <Button color="error" onClick={() => act.remove(one)} aria-label={`remove ${one.name}`}>Remove</Button>
        </>
      ),
    },
  ];
}
