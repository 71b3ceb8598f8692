/** One customer, everything about it: what happened in each run, why it was set aside, its calls, its rows. */
import { Button, Stack, Typography } from "@mui/material";
import { useQuery } from "@tanstack/react-query";
import { useState } from "react";
import { Link, useParams } from "react-router-dom";
import { get, type Shape } from "../../api/client";
import { ExceptionDetail } from "../../shared/ExceptionDetail";
import { count } from "../../shared/format";
import { Empty, Panel, Told, UnitSign, When } from "../../shared/parts";
import { RowsTable } from "../../shared/RowsTable";
import { Calls } from "./Calls";

export default function UnitPage() {
  const { job = "", key = "" } = useParams();
  const lives = useQuery({ queryKey: ["units", job, key], queryFn: () => get("/api/v1/units/{job}/{key}", { job, key }), refetchInterval: 5_000 });
  return (
    <Stack sx={{ gap: 2 }}>
      <Typography variant="h1">{job} · unit <code style={{ fontSize: "1em" }}>{key}</code></Typography>
      <Told query={lives} lines={8}>
        {(found) => found.length === 0 ? <Empty>No run of {job} has this unit.</Empty> : found.map((one) => <InRun key={one.run} unit={one} />)}
      </Told>
    </Stack>
  );
}

function InRun({ unit }: { unit: Shape<"UnitShape"> }) {
  return (
    <>
      <Panel title={<>In run <Link to={`/runs/${unit.run}`}>{unit.run}</Link></>} aside={<span data-testid="unit-state"><UnitSign state={unit.state} /> · number {count(unit.position + 1)} of the list</span>}>
        <History history={unit.history} />
      </Panel>
      {unit.exception && <Panel title="Why it was set aside"><ExceptionDetail found={unit.exception} /></Panel>}
      {unit.calls.length > 0 && <Panel title="Calls"><Calls calls={unit.calls} /></Panel>}
      <Held unit={unit} />
    </>
  );
}

function History({ history }: { history: Shape<"HistoryShape">[] }) {
  if (history.length === 0) return <Empty>Nothing has happened to it yet.</Empty>;
  return (
    <ol style={{ margin: 0, paddingLeft: 20 }}>
      {history.map((one, index) => (
        <li key={index}><When at={one.at} /> <b>{one.what}</b> {Object.entries(one.data).map(([name, value]) => `${name} ${typeof value === "object" ? JSON.stringify(value) : String(value)}`).join(", ")}</li>
      ))}
    </ol>
  );
}

/** Its rows are read when somebody asks: the job's code is loaded for it, and the audit says who looked. */
function Held({ unit }: { unit: Shape<"UnitShape"> }) {
  const [asked, setAsked] = useState(false);
  const rows = useQuery({
    queryKey: ["units", unit.run, unit.key, "rows"],
    queryFn: () => get("/api/v1/runs/{run}/units/{key}/rows", { run: unit.run, key: unit.key }),
    enabled: asked,
    staleTime: Infinity,
    retry: false,
  });
  if (!asked) return <Panel title="Rows"><Button variant="outlined" onClick={() => setAsked(true)}>Read its rows</Button> Who reads a unit’s values is noted in the audit.</Panel>;
  const tables = (of: Record<string, Record<string, unknown>[]>) => Object.entries(of).filter(([, held]) => held.length > 0);
  return (
    <Panel title="Rows">
      <Told query={rows}>
        {(told) => (
          <Stack sx={{ gap: 1.5 }}>
            {told.note && <Typography>{told.note}</Typography>}
            {told.masked && <Typography color="text.secondary">Values are masked: you do not have the right “personal”.</Typography>}
            {tables(told.source).map(([name, held]) => <div key={`s${name}`}><Typography variant="h2" component="h3">{name}, in the source: {count(held.length)}</Typography><RowsTable rows={held} label={name} /></div>)}
            {tables(told.outputs).map(([name, held]) => <div key={`o${name}`}><Typography variant="h2" component="h3">{name}, as written: {count(held.length)}</Typography><RowsTable rows={held} label={name} /></div>)}
          </Stack>
        )}
      </Told>
    </Panel>
  );
}
