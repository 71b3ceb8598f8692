/** What runs, what waits for a person, what ran. */
import { Stack, Table, TableBody, TableCell, TableContainer, TableHead, TableRow } from "@mui/material";
import { useQuery } from "@tanstack/react-query";
import { Link, useSearchParams } from "react-router-dom";
import { get, type Shape } from "../../api/client";
import { May } from "../../api/session";
import { count, duration, percent } from "../../shared/format";
import { Choice } from "../../shared/Choice";
import { Ends } from "../../shared/Ends";
import { Empty, Panel, RunSign, Told, When } from "../../shared/parts";
import { StateBar, StateCounts } from "../../shared/StateBar";
import { LIVE, RUN_LOOK, settledOf } from "../../shared/states";
import { Alerts } from "./Alerts";
import { Systems } from "./Systems";

const EVERY = 3_000;
/** States whose units are listed one by one. */
const ASIDE = new Set<string>(["quarantined", "in_doubt", "gone", "rolled_back"]);

export default function OverviewPage() {
  const [filter, setFilter] = useSearchParams();
  const state = filter.get("state") ?? "";
  const runs = useQuery({
    queryKey: ["runs", "list", state],
    queryFn: () => get("/api/v1/runs", {}, { state, limit: 50 }),
    refetchInterval: EVERY,
  });
  return (
    <Stack sx={{ gap: 2 }}>
      <h1 style={{ fontSize: "1.25rem", margin: 0 }}>Runs</h1>
      <Alerts />
      <Systems />
      <Told query={runs} lines={8}>
        {({ items }) => (
          <>
            {items.filter((run) => LIVE.has(run.state)).map((run) => <Running key={run.id} run={run} />)}
            <Panel
              title="Recent"
              aside={<Choice label="State" value={state} options={[["", "all"], ...Object.entries(RUN_LOOK).map(([value, look]) => [value, look.word] as const)]} choose={(value) => setFilter(value ? { state: value } : {})} />}
            >
              {items.length === 0
                ? <Empty>No runs {state ? "in this state" : <>yet: <code>ludb run JOB</code><May role="operator">, or <Link to="/launch">Launch</Link></May></>}.</Empty>
                : <Recent runs={items} />}
            </Panel>
          </>
        )}
      </Told>
    </Stack>
  );
}

function Running({ run }: { run: Shape<"RunShape"> }) {
  const progress = useQuery({ queryKey: ["runs", run.id, "progress"], queryFn: () => get("/api/v1/runs/{run}/progress", { run: run.id }), refetchInterval: EVERY });
  return (
    <Panel title={<Link to={`/runs/${run.id}`}>{run.job} · {run.id}</Link>} aside={<span><RunSign state={run.state} /> {duration(run.seconds)} · {run.live.workers} {run.live.workers === 1 ? "worker" : "workers"} · <Link to={`/runs/${run.id}/wall`}>for a wall</Link></span>}>
      <StateBar counters={run.counters} />
      <Stack direction="row" sx={{ mt: 1, flexWrap: "wrap", justifyContent: "space-between", gap: 1 }}>
        <StateCounts counters={run.counters} linkOf={(unit) => (ASIDE.has(unit) ? `/quarantine?${new URLSearchParams({ run: run.id, state: unit }).toString()}` : null)} />
        <span><b>{percent(settledOf(run.counters), run.counters.total)}</b> · <Ends state={run.state} progress={progress.data} /></span>
      </Stack>
    </Panel>
  );
}

const NUMBERS = new Set(["settled", "units", "set aside", "took"]);

function Recent({ runs }: { runs: Shape<"RunShape">[] }) {
  return (
    <TableContainer tabIndex={0} role="region" aria-label="recent runs">
      <Table size="small">
        <TableHead><TableRow>{["run", "job", "state", "settled", "units", "set aside", "took", "started", "by"].map((name) => <TableCell key={name} align={NUMBERS.has(name) ? "right" : "left"}>{name}</TableCell>)}</TableRow></TableHead>
        <TableBody>
          {runs.map((run) => {
            const { total, done, gone } = run.counters;
            return (
              <TableRow key={run.id}>
                <TableCell className="mono" sx={{ whiteSpace: "nowrap" }}><Link to={`/runs/${run.id}`}>{run.id}</Link></TableCell>
                <TableCell><Link to={`/jobs/${encodeURIComponent(run.job)}`}>{run.job}</Link></TableCell>
                <TableCell><RunSign state={run.state} /></TableCell>
                <TableCell align="right">{percent(settledOf(run.counters), total)}</TableCell>
                <TableCell align="right">{count(total)}</TableCell>
                <TableCell align="right">{settledOf(run.counters) - done - gone > 0 ? <Link to={`/quarantine?run=${encodeURIComponent(run.id)}`}>{count(settledOf(run.counters) - done - gone)}</Link> : "0"}</TableCell>
                <TableCell align="right" sx={{ whiteSpace: "nowrap" }}>{duration(run.seconds)}</TableCell>
                <TableCell sx={{ whiteSpace: "nowrap" }}><When at={run.started_at} /></TableCell>
                <TableCell>{run.actor}</TableCell>
              </TableRow>
            );
          })}
        </TableBody>
      </Table>
    </TableContainer>
  );
}
