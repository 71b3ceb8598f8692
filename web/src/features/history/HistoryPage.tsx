/** All runs: found by job, state, who and day; two of them lead to their comparison. */
import { Button, Checkbox, Stack, TextField, Typography } from "@mui/material";
import { useInfiniteQuery, useQuery } from "@tanstack/react-query";
import { useEffect } from "react";
import { Link } from "react-router-dom";
import { get, type Shape } from "../../api/client";
import { Choice } from "../../shared/Choice";
import { useFilters } from "../../shared/filters";
import { count, duration, percent, rate } from "../../shared/format";
import { Grid, type Column } from "../../shared/Grid";
import { Empty, Failure, Panel, RunSign, Waiting, When } from "../../shared/parts";
import { RUN_LOOK, settledOf } from "../../shared/states";
import { chosenAfter, goesOn, matches, paceOf } from "./filter";

const PAGE = 100;
const ENOUGH = 50;
const NAMES = ["job", "state", "who", "from", "to", "pick"] as const;

export default function HistoryPage() {
  const [asked, change] = useFilters(NAMES);
  const jobs = useQuery({ queryKey: ["jobs"], queryFn: () => get("/api/v1/jobs") });
  const list = useInfiniteQuery({
    queryKey: ["runs", "history", asked.job, asked.state],
    initialPageParam: "",
    queryFn: ({ pageParam }) => get("/api/v1/runs", {}, { job: asked.job, state: asked.state, cursor: pageParam, limit: PAGE }),
    getNextPageParam: (page) => page.next ?? undefined,
  });
  const read = list.data?.pages.flatMap((page) => page.items) ?? [];
  const found = read.filter((run) => matches(run, asked));
  const older = list.hasNextPage && goesOn(read, asked);
  const more = older && found.length < ENOUGH && (asked.who || asked.from || asked.to) !== "";
  const { fetchNextPage, isFetching } = list;
  useEffect(() => {
    if (more && !isFetching) void fetchNextPage();
  }, [more, isFetching, fetchNextPage]);
  const picked = asked.pick.split(",").filter(Boolean);
  const names = [...new Set([...(jobs.data ?? []).map((job) => job.name), ...(asked.job ? [asked.job] : [])])].sort();
  return (
    <Stack sx={{ gap: 2 }}>
      <Typography variant="h1">History</Typography>
      <Panel
        title="Runs"
        aside={picked.length === 2
          ? <Button variant="contained" component={Link} to={`/runs/${picked[0]}/compare/${picked[1]}`}>Compare the two</Button>
          : <Typography color="text.secondary">Choose two to compare them.</Typography>}
      >
        <Stack direction="row" sx={{ gap: 1, mt: 1, mb: 1.5, flexWrap: "wrap", alignItems: "center" }}>
          <Choice label="Job" value={asked.job} options={[["", "all"], ...names.map((name) => [name, name] as const)]} choose={(job) => change({ job })} />
          <Choice label="State" value={asked.state} options={[["", "all"], ...Object.entries(RUN_LOOK).map(([of, look]) => [of, look.word] as const)]} choose={(state) => change({ state })} />
          <TextField label="Who" value={asked.who} onChange={(event) => change({ who: event.target.value })} sx={{ width: 130 }} />
          {(["from", "to"] as const).map((end) => (
            <TextField key={end} label={end === "from" ? "From day" : "To day"} type="date" value={asked[end]} onChange={(event) => change({ [end]: event.target.value })} slotProps={{ inputLabel: { shrink: true } }} />
          ))}
          {NAMES.some((name) => name !== "pick" && asked[name]) && <Button onClick={() => change({ job: "", state: "", who: "", from: "", to: "" })}>All runs</Button>}
        </Stack>
        {list.error && <Failure error={list.error} again={() => void list.refetch()} />}
        {list.isPending && <Waiting lines={8} />}
        {list.data && found.length === 0 && !more && <Empty>{read.length === 0 && !asked.job && !asked.state ? <>No runs yet: <code>ludb run JOB</code>, or <Link to="/launch">Launch</Link>.</> : `No run matches; ${count(read.length)} were looked at.`}</Empty>}
        {found.length > 0 && <Grid label="runs" columns={columns(picked, (run) => change({ pick: chosenAfter(picked, run).join(",") }))} rows={found} keyOf={(run) => run.id} chosen={(run) => picked.includes(run.id)} />}
        {more ? <Waiting lines={2} /> : older && <Button onClick={() => void fetchNextPage()} disabled={isFetching}>Older runs</Button>}
      </Panel>
    </Stack>
  );
}

function columns(picked: string[], pick: (run: string) => void): Column<Shape<"RunShape">>[] {
  const aside = ({ counters }: Shape<"RunShape">) => settledOf(counters) - counters.done - counters.gone;
  return [
    { name: "compare", cell: (run) => <Checkbox size="small" sx={{ p: 0.25 }} checked={picked.includes(run.id)} onChange={() => pick(run.id)} slotProps={{ input: { "aria-label": `compare ${run.id}` } }} /> },
    { name: "run", mono: true, tight: true, cell: (run) => <Link to={`/runs/${run.id}`}>{run.id}</Link> },
    { name: "job", cell: (run) => run.job },
    { name: "parameters", mono: true, cell: (run) => Object.entries(run.parameters).map(([name, value]) => `${name}=${String(value)}`).join(" ") || "–" },
    { name: "state", tight: true, cell: (run) => <RunSign state={run.state} /> },
    { name: "settled", right: true, cell: (run) => percent(settledOf(run.counters), run.counters.total) },
    { name: "units", right: true, cell: (run) => count(run.counters.total) },
    { name: "set aside", right: true, cell: (run) => (aside(run) > 0 ? <Link to={`/quarantine?run=${run.id}`}>{count(aside(run))}</Link> : "0") },
    { name: "pace", right: true, cell: (run) => rate(paceOf(run)) },
    { name: "took", right: true, cell: (run) => duration(run.seconds) },
    { name: "started", tight: true, cell: (run) => <When at={run.started_at} /> },
    { name: "by", cell: (run) => run.actor },
  ];
}
