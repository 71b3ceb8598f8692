import { Box, Stack, Typography } from "@mui/material";
import type { Shape } from "../api/client";
import { RowsTable } from "./RowsTable";
import { apart } from "./said";
import { UnitSign, When } from "./parts";

/** Why a unit was set aside: step, message, stack, what the source held. */
export function ExceptionDetail({ found }: { found: Shape<"ExceptionShape"> }) {
  const held = Object.entries(found.source_rows ?? {});
  return (
    <Stack sx={{ gap: 1.5 }}>
      <div><UnitSign state={found.state} /> in {found.phase}{found.step && <>, step <code>{found.step}</code></>}, <When at={found.at} /></div>
      <Typography sx={{ overflowWrap: "anywhere" }}><b>{found.reason}</b>{apart(found.reason, found.message) && <>: {apart(found.reason, found.message)}</>}</Typography>
      {found.masked && <Typography color="text.secondary">Values are masked: you do not have the right “personal”.</Typography>}
      {found.detail && <Quoted title="Detail" text={found.detail} />}
      {found.trace && <Quoted title="Stack trace" text={found.trace} />}
      {found.answer && <Quoted title="The system’s answer" text={found.answer} />}
      {held.map(([table, rows]) => (
        <div key={table}><Typography variant="h2" component="h3">{table}</Typography><RowsTable rows={rows} label={table} /></div>
      ))}
      <Typography color="text.secondary">job version <code>{found.job_version}</code>, chunk <code>{found.chunk}</code></Typography>
    </Stack>
  );
}

function Quoted({ title, text }: { title: string; text: string }) {
  return (
    <div>
      <Typography variant="h2" component="h3">{title}</Typography>
      <Box component="pre" tabIndex={0} aria-label={title} sx={{ m: 0, p: 1, overflow: "auto", maxHeight: 320, bgcolor: "background.default", borderRadius: 1 }}>{text}</Box>
    </div>
  );
}
