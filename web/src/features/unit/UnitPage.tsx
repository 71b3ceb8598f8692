/** One customer, everything about it: what happened in each run, why it was set aside, its calls, its rows. */
import { Button, Stack, Typography } from "@mui/material";
import { useInfiniteQuery } from "@tanstack/react-query";
import { useState } from "react";
import { Link, useParams } from "react-router-dom";
import { get, type Shape } from "../../api/client";
import { May } from "../../api/session";
import { ExceptionDetail } from "../../shared/ExceptionDetail";
import { count, span } from "../../shared/format";
import { Empty, Panel, Told, UnitSign, When } from "../../shared/parts";
import { Retry } from "../../shared/Retry";
import { useTitle } from "../../shared/title";
import { Calls } from "./Calls";
import { Life } from "./Life";
import { lifeOf, wholeOf } from "./life";
import { Query } from "./Query";
import { Rows } from "./Rows";

/** Of which the page asks for what they know of the unit, at a time. */
const RUNS = 5;

export default function UnitPage() {
  const { job = "", key = "" } = useParams();
  useTitle(`unit ${key}`, job);
  const lives = useInfiniteQuery({
    queryKey: ["units", job, key],
    initialPageParam: "",
    queryFn: ({ pageParam }) => get("/api/v1/units/{job}/{key}", { job, key }, { cursor: pageParam, limit: RUNS }),
    getNextPageParam: (page) => page.next ?? undefined,
    refetchInterval: 5_000,
  });
  const found = lives.data?.pages.flatMap((page) => page.items);
  const [newest, ...older] = found ?? [];
  return (
    <Stack sx={{ gap: 2 }}>
      <Typography variant="h1" sx={{ overflowWrap: "anywhere" }}><Link to={`/jobs/${encodeURIComponent(job)}`}>{job}</Link> · unit <code style={{ fontSize: "1em" }}>{key}</code></Typography>
      <Told query={{ ...lives, data: found }} lines={8}>
        {() => newest ? <InRun unit={newest} newest /> : <Empty>No run of {job} has this unit in its list. A key is written as its value; the parts of a composite key are joined by <code>|</code>.</Empty>}
      </Told>
      {newest && <Query key={newest.run} job={job} unit={key} run={newest.run} />}
      {older.length > 0 && <Typography variant="h2" component="h2">Earlier runs</Typography>}
      {older.map((one) => <Earlier key={one.run} unit={one} />)}
      {lives.hasNextPage && <Button onClick={() => void lives.fetchNextPage()} disabled={lives.isFetchingNextPage}>Older runs</Button>}
    </Stack>
  );
}

/** A run before the newest: a line, and all of it when somebody opens it. */
function Earlier({ unit }: { unit: Shape<"UnitShape"> }) {
  const [open, setOpen] = useState(false);
  if (open) return <InRun unit={unit} newest={false} />;
  const last = unit.history[unit.history.length - 1];
  return (
    <Panel
      title={<>In run <Link to={`/runs/${encodeURIComponent(unit.run)}`}>{unit.run}</Link></>}
      aside={<Button onClick={() => setOpen(true)} aria-label={`show ${unit.run}`}>Show</Button>}
    >
      <UnitSign state={unit.state} />{last && <>, <When at={last.at} /></>}{unit.exception && <>: {unit.exception.reason}</>}
    </Panel>
  );
}

/** What a person can do about it, by right: try it again, or say what became of a call. */
function Mend({ unit }: { unit: Shape<"UnitShape"> }) {
  if (unit.state === "in_doubt") return <Link to={`/calls?${new URLSearchParams({ state: "in_doubt", run: unit.run }).toString()}`}>say what became of its calls</Link>;
  if (unit.state !== "quarantined") return null;
  return <May role="operator"><Stack direction="row" sx={{ gap: 1, flexWrap: "wrap" }}><Retry run={unit.run} reason="" keys={[unit.key]} word="it" done={() => undefined} /></Stack></May>;
}

function InRun({ unit, newest }: { unit: Shape<"UnitShape">; newest: boolean }) {
  const took = wholeOf(lifeOf(unit.history, unit.calls));
  return (
    <>
      <Panel title={<>In run <Link to={`/runs/${encodeURIComponent(unit.run)}`}>{unit.run}</Link></>} aside={<span data-testid="unit-state"><UnitSign state={unit.state} />{took !== null && ` · took ${span(took)}`} · number {count(unit.position + 1)} of the list</span>}>
        <Life unit={unit} />
      </Panel>
      {unit.exception && <Panel title="Why it was set aside" aside={newest && <Mend unit={unit} />}><ExceptionDetail found={unit.exception} /></Panel>}
      {unit.calls.length > 0 && <Panel title="Calls"><Calls run={unit.run} calls={unit.calls} /></Panel>}
      <Rows unit={unit} />
    </>
  );
}
