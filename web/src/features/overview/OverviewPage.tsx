/** What runs, what waits for a person, what ran. */
import { Box, MenuItem, Stack, Table, TableBody, TableCell, TableContainer, TableHead, TableRow, TextField } from "@mui/material";
import { useQuery } from "@tanstack/react-query";
import { Link, useSearchParams } from "react-router-dom";
import { get, type Shape } from "../../api/client";
import { May } from "../../api/session";
import { count, duration, percent } from "../../shared/format";
import { Empty, Panel, RunSign, Told, When } from "../../shared/parts";
import { StateBar, StateCounts } from "../../shared/StateBar";
import { LIVE, RUN_LOOK, settledOf } from "../../shared/states";
import { Alerts } from "./Alerts";
import { Systems } from "./Systems";

const EVERY = 3_000;

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
              aside={
                <TextField select label="State" value={state} onChange={(event) => setFilter(event.target.value ? { state: event.target.value } : {})} sx={{ minWidth: 180 }}>
                  <MenuItem value="">all</MenuItem>
                  {Object.entries(RUN_LOOK).map(([value, look]) => <MenuItem key={value} value={value}>{look.word}</MenuItem>)}
                </TextField>
              }
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
  return (
    <Panel title={<Link to={`/runs/${run.id}`}>{run.job} · {run.id}</Link>} aside={<span><RunSign state={run.state} /> {duration(run.seconds)} · {run.live.workers} workers · <Link to={`/runs/${run.id}/wall`}>for a wall</Link></span>}>
      <StateBar counters={run.counters} />
      <Box sx={{ mt: 1 }}><StateCounts counters={run.counters} /></Box>
    </Panel>
  );
}

function Recent({ runs }: { runs: Shape<"RunShape">[] }) {
  return (
    <TableContainer tabIndex={0} role="region" aria-label="recent runs">
      <Table size="small">
        <TableHead><TableRow>{["run", "job", "state", "settled", "units", "set aside", "took", "started", "by"].map((name) => <TableCell key={name}>{name}</TableCell>)}</TableRow></TableHead>
        <TableBody>
          {runs.map((run) => {
            const { total, done, gone } = run.counters;
            return (
              <TableRow key={run.id}>
                <TableCell className="mono" sx={{ whiteSpace: "nowrap" }}><Link to={`/runs/${run.id}`}>{run.id}</Link></TableCell>
                <TableCell><Link to={`/jobs/${encodeURIComponent(run.job)}`}>{run.job}</Link></TableCell>
                <TableCell><RunSign state={run.state} /></TableCell>
                <TableCell>{percent(settledOf(run.counters), total)}</TableCell>
                <TableCell>{count(total)}</TableCell>
                <TableCell>{count(settledOf(run.counters) - done - gone)}</TableCell>
                <TableCell>{duration(run.seconds)}</TableCell>
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
