/** One customer, everything about it: what happened in each run, why it was set aside, its calls, its rows. */
import { Stack, Typography } from "@mui/material";
import { useQuery } from "@tanstack/react-query";
import { Link, useParams } from "react-router-dom";
import { get, type Shape } from "../../api/client";
import { May } from "../../api/session";
import { ExceptionDetail } from "../../shared/ExceptionDetail";
import { count } from "../../shared/format";
import { Empty, Panel, Told, UnitSign } from "../../shared/parts";
import { Retry } from "../../shared/Retry";
import { Calls } from "./Calls";
import { Life } from "./Life";
import { Query } from "./Query";
import { Rows } from "./Rows";

export default function UnitPage() {
  const { job = "", key = "" } = useParams();
  const lives = useQuery({ queryKey: ["units", job, key], queryFn: () => get("/api/v1/units/{job}/{key}", { job, key }), refetchInterval: 5_000 });
  const newest = lives.data?.[0];
  return (
    <Stack sx={{ gap: 2 }}>
      <Typography variant="h1" sx={{ overflowWrap: "anywhere" }}><Link to={`/jobs/${encodeURIComponent(job)}`}>{job}</Link> · unit <code style={{ fontSize: "1em" }}>{key}</code></Typography>
      <Told query={lives} lines={8}>
        {(found) => found.length === 0 ? <Empty>None of the newest 50 runs of {job} has this unit.</Empty> : found.map((one) => <InRun key={one.run} unit={one} newest={one === newest} />)}
      </Told>
      {newest && <Query key={newest.run} job={job} unit={key} run={newest.run} />}
    </Stack>
  );
}

/** What a person can do about it, by right: try it again, or say what became of a call. */
function Mend({ unit }: { unit: Shape<"UnitShape"> }) {
  if (unit.state === "in_doubt") return <Link to={`/calls?${new URLSearchParams({ state: "in_doubt", run: unit.run }).toString()}`}>say what became of its calls</Link>;
  if (unit.state !== "quarantined") return null;
  return <May role="operator"><Stack direction="row" sx={{ gap: 1, flexWrap: "wrap" }}><Retry run={unit.run} reason="" keys={[unit.key]} word="it" done={() => undefined} /></Stack></May>;
}

function InRun({ unit, newest }: { unit: Shape<"UnitShape">; newest: boolean }) {
  return (
    <>
      <Panel title={<>In run <Link to={`/runs/${encodeURIComponent(unit.run)}`}>{unit.run}</Link></>} aside={<span data-testid="unit-state"><UnitSign state={unit.state} /> · number {count(unit.position + 1)} of the list</span>}>
        <Life unit={unit} />
      </Panel>
      {unit.exception && <Panel title="Why it was set aside" aside={newest && <Mend unit={unit} />}><ExceptionDetail found={unit.exception} /></Panel>}
      {unit.calls.length > 0 && <Panel title="Calls"><Calls run={unit.run} calls={unit.calls} /></Panel>}
      <Rows unit={unit} />
    </>
  );
}
