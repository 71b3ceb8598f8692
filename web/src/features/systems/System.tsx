import { Alert, Box, Button, Stack } from "@mui/material";
import { useQuery } from "@tanstack/react-query";
import { lazy, Suspense } from "react";
import { Link, useSearchParams } from "react-router-dom";
import { get } from "../../api/client";
import { May } from "../../api/session";
import { Choice } from "../../shared/Choice";
import { Facts } from "../../shared/Facts";
import { count, duration, moment, span } from "../../shared/format";
import { Grid, type Column } from "../../shared/Grid";
import { Empty, Panel, Sign, Told, When } from "../../shared/parts";
import { SystemFigures } from "../../shared/SystemFigures";
import type { Now } from "../../shared/lately";
import { heldBack, lookOf, type Health, type Run } from "./health";
import { Limits } from "./Limits";

const Lines = lazy(() => import("./Lines"));
const TWO = { display: "grid", gap: 2, alignItems: "start", gridTemplateColumns: { xs: "minmax(0, 1fr)", md: "minmax(0, 2fr) minmax(0, 1fr)" } };
type OfRun = Health["of_runs"][number];

/** One system: since when it is how it is, its lines over a run, its limits where a run goes on, and all runs that used it. */
export function System({ health, now, going, close }: { health: Health; now: Now | null; going: Run[]; close: () => void }) {
  const [params, setParams] = useSearchParams();
  const systems = useQuery({ queryKey: ["systems"], queryFn: () => get("/api/v1/systems") });
  const variables = systems.data?.find((one) => one.job === health.job && one.name === health.name)?.variables;
  const runs = [...new Set([...going.map((run) => run.id), ...health.of_runs.map((one) => one.name)])];
  const run = runs.find((one) => one === params.get("run")) ?? runs[0];
  const choose = (id: string) => setParams((now) => { now.set("run", id); return new URLSearchParams(now); }, { replace: true });
  const live = going.some((one) => one.id === run);
  const events = useQuery({ queryKey: ["runs", run, "happened"], queryFn: () => get("/api/v1/events", {}, { run, limit: 200 }), enabled: live, refetchInterval: 5_000 });
  const held = live ? heldBack(events.data?.items ?? [], health.name) : [];
  const turned = going.filter((one) => one.live.calls[health.name]);
  return (
    <>
      {health.state === "away" && (
        <Alert severity="error">
          {health.name} is away since {moment(health.since)}: {health.error}. Chunks that need it wait, and go on by themselves when it answers.{" "}
          <Link to={`/calls?${new URLSearchParams({ system: health.name, job: health.job }).toString()}`}>its calls</Link>
        </Alert>
      )}
      <Box sx={TWO}>
        <Stack sx={{ gap: 2, minWidth: 0, order: { md: 1 } }}>
          <Panel title={`${health.name} of ${health.job}`} aside={<Button onClick={close}>Close</Button>}>
            <Facts
              of={[
                ["state", <Sign look={lookOf(health, going, now)} />],
                ...(held.length > 0 ? [["held back", held.map((one) => <div key={one}>{one}</div>)] as const] : []),
                ["type", <code>{health.type}</code>],
                ["used as", health.roles.join(", ")],
                ["named by", variables === undefined ? "…" : variables.length ? <code>{variables.join(", ")}</code> : "the job’s text"],
                ["last used", health.last_at == null ? "never" : going.some((one) => one.id === health.last_run) ? "now" : moment(health.last_at)],
              ]}
            />
          </Panel>
          {run && <Passed run={run} system={health.name} live={live} />}
          {turned.map((one) => <May key={one.id} role="operator"><Limits run={one} system={health.name} /></May>)}
        </Stack>
        {run
          ? <Panel title="Over time" min={480} aside={<Choice label="Run" value={run} options={runs.map((one) => [one, one] as const)} choose={choose} />}><Suspense fallback={<Box sx={{ minHeight: 400 }} />}><Lines key={run} run={run} system={health.name} live={live} /></Suspense></Panel>
          : <Panel title="Over time"><Empty>No run has touched it yet.</Empty></Panel>}
      </Box>
      <Panel title="Runs that used it">
        {health.of_runs.length === 0 ? <Empty>None of the newest 20.</Empty> : <Grid label="runs that used it" columns={OF_RUNS} rows={health.of_runs} keyOf={(one) => one.name} height={420} />}
      </Panel>
    </>
  );
}

/** What passed in the run that is chosen. */
function Passed({ run, system, live }: { run: string; system: string; live: boolean }) {
  const figures = useQuery({ queryKey: ["runs", run, "figures"], queryFn: () => get("/api/v1/runs/{run}/figures", { run }), refetchInterval: live ? 5_000 : false });
  return (
    <Panel title="What passed" aside={<Link className="mono" to={`/runs/${run}?tab=systems`}>{run}</Link>} min={250}>
      <Told query={figures} lines={7}>
        {(found) => {
          const of = found.systems.find((one) => one.name === system);
          return of ? <SystemFigures of={of} live={live} run={run} /> : <Empty>This run has not asked it yet.</Empty>;
        }}
      </Told>
    </Panel>
  );
}

const OF_RUNS: Column<OfRun>[] = [
  { name: "run", mono: true, tight: true, cell: (one) => <Link to={`/runs/${one.name}?tab=systems`}>{one.name}</Link> },
  { name: "started", tight: true, cell: (one) => <When at={one.started_at} /> },
  { name: "calls", right: true, cell: (one) => count(one.count) },
  { name: "rows", right: true, cell: (one) => count(one.rows) },
  { name: "mean", right: true, cell: (one) => span(one.count > 0 ? one.seconds / one.count : null) },
  { name: "p50", right: true, cell: (one) => span(one.p50) },
  { name: "p95", right: true, cell: (one) => span(one.p95) },
  { name: "429", right: true, cell: (one) => count(one.throttled) },
  { name: "failed", right: true, cell: (one) => count(one.failed) },
  { name: "waited for pace", right: true, cell: (one) => duration(one.waited) },
];
