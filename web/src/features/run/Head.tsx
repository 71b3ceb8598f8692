import { Box, Paper, Stack, Typography } from "@mui/material";
import { Link } from "react-router-dom";
import type { Shape } from "../../api/client";
import { May } from "../../api/session";
import { duration, moment, percent } from "../../shared/format";
import { Ends } from "../../shared/Ends";
import { useTitle } from "../../shared/title";
import { RunSign } from "../../shared/parts";
import { StateBar, StateCounts } from "../../shared/StateBar";
import { LIVE, RUN_LOOK, settledOf } from "../../shared/states";
import { Window } from "../../shared/Window";
import { Actions } from "./Actions";
import { Standing } from "./Standing";
import { Trouble } from "./Trouble";

/** What stands behind a number where no list of units does: rows by table, chunks in flight. */
const BEHIND: Partial<Record<string, string>> = { done: "systems", pending: "workers" };

/** State, percent of the frozen list, the states that add up, rate, end. */
export function Head({ run, progress, events }: { run: Shape<"RunShape">; progress: Shape<"ProgressShape"> | undefined; events: Shape<"EventShape">[] }) {
  const counters = progress?.counters ?? run.counters;
  const state = progress?.state ?? run.state;
  const reason = progress?.reason ?? run.reason;
  const now = progress?.at ?? Date.now() / 1000;
  useTitle(`${percent(settledOf(counters), counters.total)} ${run.job}`, RUN_LOOK[state].word);
  const seconds = run.ended_at || !run.started_at ? run.seconds : now - run.started_at;
  const of = (unit: string) => `/quarantine?${new URLSearchParams({ run: run.id, state: unit }).toString()}`;
  const listed = new Set(["quarantined", "in_doubt", "gone", "rolled_back"]);
  return (
    <Paper variant="outlined" sx={{ p: 2 }}>
      <Stack direction="row" sx={{ alignItems: "center", flexWrap: "wrap", gap: 2, mb: 1.5 }}>
        <Typography variant="h1"><Link to={`/jobs/${encodeURIComponent(run.job)}`}>{run.job}</Link></Typography>
        <code>{run.id}</code>
        <Box sx={{ fontSize: 15 }} data-testid="run-state" role="status"><RunSign state={state} /></Box>
        <span title={`started ${moment(run.started_at)}`}>{duration(seconds)}</span>
        {LIVE.has(state) && <Window run={run.id} now={now} />}
        {(LIVE.has(state) || state === "failed") && <Standing run={run.id} />}
        <Box sx={{ flex: 1 }} />
        <Link to={`/history?${new URLSearchParams({ job: run.job, pick: run.id }).toString()}`}>compare</Link>
        <Link to={`/runs/${encodeURIComponent(run.id)}/wall`}>for a wall</Link>
        <May role="operator"><Actions run={run.id} state={state} /></May>
      </Stack>
      <Stack direction="row" sx={{ alignItems: "center", gap: 2, mb: 1 }}>
        <Box sx={{ flex: 1 }}><StateBar counters={counters} height={18} /></Box>
        <Box sx={{ fontSize: 20, fontWeight: 700, minWidth: 76, textAlign: "right" }} data-testid="percent">
          {percent(settledOf(counters), counters.total)}
        </Box>
      </Stack>
      <Stack direction="row" sx={{ flexWrap: "wrap", justifyContent: "space-between", gap: 1 }}>
        <StateCounts counters={counters} linkOf={(unit) => (listed.has(unit) ? of(unit) : BEHIND[unit] ? `?tab=${BEHIND[unit]}` : null)} />
        {LIVE.has(state) ? <Ends state={state} progress={progress} mean /> : <span>{run.ended_at == null ? "not begun" : `ended ${moment(run.ended_at)}`}</span>}
      </Stack>
      <Trouble run={run.id} state={state} reason={reason} waiting={progress?.waiting ?? []} events={events} counters={counters} ended={run.ended_at} alone={progress !== undefined && LIVE.has(state) && !progress.held} />
    </Paper>
  );
}
