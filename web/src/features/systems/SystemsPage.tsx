/** Systems of all jobs: how each does, what goes to it now, and one of them in depth. */
import { Box, Stack, Typography } from "@mui/material";
import { useQueries, useQuery } from "@tanstack/react-query";
import { Link } from "react-router-dom";
import { get } from "../../api/client";
import { Choice } from "../../shared/Choice";
import { useFilters } from "../../shared/filters";
import { count, moment, rate, span } from "../../shared/format";
import { Grid, type Column } from "../../shared/Grid";
import { Empty, Panel, Sign, Told } from "../../shared/parts";
import { nowOf, type Now } from "../../shared/lately";
import { keyOf, limitsText, lookOf, ordered, type Health, type Run } from "./health";
import { System } from "./System";

const LIVE = ["running", "paused", "stopping"] as const;
const NAMES = ["job", "state", "system"] as const;
const EVERY = 5_000;

/** Runs that go on, and what they ask of their systems: the last samples of each. */
function useGoing(): { runs: Run[]; now: (job: string, system: string) => Now | null } {
  const runs = useQuery({
    queryKey: ["runs", "going"],
    refetchInterval: EVERY,
    queryFn: async () => (await Promise.all(LIVE.map((state) => get("/api/v1/runs", {}, { state, limit: 50 })))).flatMap((page) => page.items),
  });
  const going = runs.data ?? [];
  const series = useQueries({
    queries: going.map((run) => {
      const at = (run.started_at ?? run.created_at) + run.seconds; // by the clock of the server, not of the reader
      return {
        queryKey: ["runs", run.id, "lately"],
        refetchInterval: EVERY,
        queryFn: async () => ({ job: run.job, at, samples: await get("/api/v1/runs/{run}/figures/series", { run: run.id }, { since: Math.max(0, at - 60) }) }),
      };
    }),
  });
  const now = (job: string, system: string) => {
    const found = series.flatMap((one) => (one.data?.job === job ? [nowOf(one.data.samples, system, one.data.at)] : [])).filter((one) => one !== null);
    return found.length ? found.reduce((sum, one) => ({ calls: sum.calls + one.calls, flying: sum.flying + one.flying, failed: sum.failed + one.failed })) : null;
  };
  return { runs: going, now };
}

export default function SystemsPage() {
  const [asked, change] = useFilters(NAMES);
  const systems = useQuery({ queryKey: ["systems", "health"], queryFn: () => get("/api/v1/systems/health"), refetchInterval: EVERY });
  const { runs, now } = useGoing();
  const all = systems.data ?? [];
  const jobs = [...new Set(all.map((one) => one.job))].sort();
  const shown = ordered(all).filter((one) => (!asked.job || one.job === asked.job) && (!asked.state || one.state === asked.state));
  const chosen = all.find((one) => keyOf(one) === asked.system);
  return (
    <Stack sx={{ gap: 2 }}>
      <Typography variant="h1">Systems</Typography>
      <Panel title="How they do" aside={<span>over the newest 20 runs of each job; calls/s and on their way: the last 20 seconds</span>}>
        <Told query={systems} lines={6}>
          {(found) => found.length === 0 ? <Empty>No job that loads names a system: <code>ludb serve JOB</code>.</Empty> : (
            <>
              <Stack direction="row" sx={{ columnGap: 1, rowGap: 1.5, mt: 1, mb: 1.5, flexWrap: "wrap" }}>
                <Choice label="Job" value={asked.job} options={[["", "all"], ...jobs.map((job) => [job, job] as const)]} choose={(job) => change({ job })} />
                <Choice label="State" value={asked.state} options={[["", "all"], ["away", "away"], ["ok", "reachable"], ["unused", "not used yet"]]} choose={(state) => change({ state })} />
              </Stack>
              {shown.length === 0
                ? <Empty>No system matches.</Empty>
                : <Grid label="systems" rows={shown} keyOf={keyOf} chosen={(one) => one === chosen} columns={columns(runs, now, (one) => `?${new URLSearchParams([...Object.entries(asked).filter(([name, value]) => value && name !== "system"), ["system", keyOf(one)]]).toString()}`)} />}
            </>
          )}
        </Told>
      </Panel>
      {chosen && <System key={keyOf(chosen)} health={chosen} now={now(chosen.job, chosen.name)} going={runs.filter((run) => run.job === chosen.job)} close={() => change({ system: "" })} />}
      {systems.data && asked.system && !chosen && <Empty>There is no system {asked.system}.</Empty>}
    </Stack>
  );
}

const bad = (value: number | undefined, colour: string, sign: string) =>
  value ? <Box component="b" sx={{ color: `var(--s-${colour})`, whiteSpace: "nowrap" }}><span aria-hidden="true">{sign} </span>{count(value)}</Box> : "0";

function columns(runs: Run[], now: (job: string, system: string) => Now | null, to: (one: Health) => string): Column<Health>[] {
  const mine = (one: Health) => runs.filter((run) => run.job === one.job);
  return [
    { name: "system", tight: true, cell: (one) => <Link to={to(one)}><b>{one.name}</b></Link> },
    { name: "state", tight: true, cell: (one) => <span title={one.error}><Sign look={lookOf(one, runs, now(one.job, one.name))} />{one.since != null && <div>since {moment(one.since)}</div>}</span> },
    { name: "job", cell: (one) => <Link to={`/jobs/${encodeURIComponent(one.job)}`}>{one.job}</Link> },
    { name: "type", mono: true, cell: (one) => one.type },
    { name: "used as", tight: true, cell: (one) => one.roles.join(", ") },
    { name: "calls/s", right: true, cell: (one) => { const told = now(one.job, one.name); return told ? rate(told.calls) : "–"; } },
    { name: "on their way", right: true, cell: (one) => now(one.job, one.name)?.flying.toFixed(1) ?? "–" },
    { name: "calls", right: true, cell: (one) => count(one.figure?.count) },
    { name: "p50", right: true, cell: (one) => span(one.figure?.p50) },
    { name: "p95", right: true, cell: (one) => span(one.figure?.p95) },
    { name: "429", right: true, cell: (one) => bad(one.figure?.throttled, "paused", "↻") },
    { name: "failed", right: true, cell: (one) => bad(one.figure?.failed, "failed", "✕") },
    { name: "limits", tight: true, cell: (one) => mine(one).map((run) => <div key={run.id}>{limitsText(run.live.calls[one.name])}</div>)[0] ?? "–" },
    { name: "run", mono: true, tight: true, cell: (one) => { const last = mine(one)[0]?.id ?? one.last_run; return last ? <Link to={`/runs/${last}?tab=systems`}>{last}</Link> : "none yet"; } },
  ];
}
