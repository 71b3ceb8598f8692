/** One customer, everything about it: what happened in each run, why it was set aside, its calls, its rows. */
import { Stack, Typography } from "@mui/material";
import { useQuery } from "@tanstack/react-query";
import { Link, useParams } from "react-router-dom";
import { get, type Shape } from "../../api/client";
import { ExceptionDetail } from "../../shared/ExceptionDetail";
import { count } from "../../shared/format";
import { Empty, Panel, Told, UnitSign } from "../../shared/parts";
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
        {(found) => found.length === 0 ? <Empty>No run of {job} has this unit.</Empty> : found.map((one) => <InRun key={one.run} unit={one} />)}
      </Told>
      {newest && <Query key={newest.run} job={job} unit={key} run={newest.run} />}
    </Stack>
  );
}

function InRun({ unit }: { unit: Shape<"UnitShape"> }) {
  return (
    <>
      <Panel title={<>In run <Link to={`/runs/${encodeURIComponent(unit.run)}`}>{unit.run}</Link></>} aside={<span data-testid="unit-state"><UnitSign state={unit.state} /> · number {count(unit.position + 1)} of the list</span>}>
        <Life history={unit.history} />
      </Panel>
      {unit.exception && <Panel title="Why it was set aside"><ExceptionDetail found={unit.exception} /></Panel>}
      {unit.calls.length > 0 && <Panel title="Calls"><Calls calls={unit.calls} /></Panel>}
      <Rows unit={unit} />
    </>
  );
}
