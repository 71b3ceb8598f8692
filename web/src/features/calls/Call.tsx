import { Box, Button, Stack, Typography } from "@mui/material";
import { Link } from "react-router-dom";
import type { Shape } from "../../api/client";
import { Facts } from "../../shared/Facts";
import { moment } from "../../shared/format";
import { Panel, UnitLink } from "../../shared/parts";
import { CALL_LOOK, pretty } from "./looks";
import { Resolve } from "./Resolve";

export function CallSign({ state }: { state: Shape<"CallState"> }) {
  const look = CALL_LOOK[state];
  return <Box component="span" sx={{ color: look.colour, fontWeight: 600, whiteSpace: "nowrap" }}><span aria-hidden="true">{look.sign} </span>{look.word}</Box>;
}

/** One call: what was asked, what came back, and whose it is. */
export function Call({ call, close, resolved }: { call: Shape<"CallOfRunShape">; close: () => void; resolved: (told: Shape<"ResolvedShape">) => void }) {
  const returned = Object.entries(call.returned ?? {});
  const hidden = (value: string | null | undefined) => (value == null ? (call.masked ? "masked" : "–") : <code>{value}</code>);
  return (
    <Panel title={<>Call <code>{call.id}</code></>} aside={<Button onClick={close}>Close</Button>}>
      <Stack sx={{ gap: 1.5 }}>
        <Facts
          of={[
            ["state", <><CallSign state={call.state} />{call.reason && `: ${call.reason}`}</>],
            ["call", <><code>{call.method}</code> {hidden(call.path)} of {call.system}, for <code>{call.output}</code></>],
            ["unit", <><UnitLink job={call.job} of={call.key} />, row <code>{call.row_key}</code>, in <Link to={`/runs/${encodeURIComponent(call.run)}`}>{call.run}</Link></>],
            ["try", `${call.generation + 1}; changed ${moment(call.changed_at)}`],
            ["answered with", call.status ?? "nothing yet"],
            ["its name there", hidden(call.server_id)],
            ...returned.map(([name, value]) => [`returned ${name}`, <code>{value}</code>] as const),
          ]}
        />
        {call.masked && <Typography color="text.secondary">Values are masked: you do not have the right “personal”.</Typography>}
        <Resolve key={call.id} call={call} resolved={resolved} />
        <Box sx={{ display: "grid", gap: 2, gridTemplateColumns: { xs: "minmax(0, 1fr)", md: "minmax(0, 1fr) minmax(0, 1fr)" } }}>
          <Body title="Request" text={call.request} masked={call.masked} />
          <Body title="Answer" text={call.answer} masked={call.masked} />
        </Box>
      </Stack>
    </Panel>
  );
}

function Body({ title, text, masked }: { title: string; text: string | null | undefined; masked: boolean }) {
  return (
    <div>
      <Typography variant="h2" component="h3">{title}</Typography>
      <Box component="pre" tabIndex={0} role="region" aria-label={title} sx={{ m: 0, p: 1, overflow: "auto", maxHeight: 320, bgcolor: "background.default", borderRadius: 1 }}>{text ? pretty(text) : masked ? "masked" : "none"}</Box>
    </div>
  );
}
