import { Box, Button, Stack } from "@mui/material";
import { useQuery } from "@tanstack/react-query";
import { Link } from "react-router-dom";
import type { Shape } from "../../api/client";
import { useFilters } from "../../shared/filters";
import { bytes, count, duration, percent, span } from "../../shared/format";
import { Grid, type Column } from "../../shared/Grid";
import { Empty, Panel, Told } from "../../shared/parts";
import { LIVE } from "../../shared/states";
import { SystemFigures } from "../../shared/SystemFigures";
import { sharesOf } from "./costs";
import { beat } from "./live";
import { reads } from "./reads";

type Figure = Shape<"FigureShape">;
const BY = ["phases", "steps", "systems"] as const;
const WORD = { phases: "phase", steps: "step", systems: "system" };
const MOST = 8;
/** `steps/30_contract/billing.contract.sql` is told by its end; the whole stands in its title. */
const short = (name: string) => name.replace(/^(steps|rules)\//, "");

export const useCosts = (run: string, state: Shape<"RunState">) =>
  useQuery({ ...reads.figures(run), refetchInterval: beat(state, 5_000) });

/** Where the time goes: by phase of a chunk, by step, by system. */
export function Costs({ run, state }: { run: string; state: Shape<"RunState"> }) {
  const [asked, change] = useFilters(["by"] as const);
  const by = BY.find((one) => WORD[one] === asked.by) ?? "phases";
  const costs = useCosts(run, state);
  const choice = <Stack direction="row">{BY.map((one) => <Button key={one} aria-pressed={by === one} variant={by === one ? "outlined" : "text"} onClick={() => change({ by: one === "phases" ? "" : WORD[one] })}>{WORD[one]}</Button>)}</Stack>;
  return (
    <Panel title="Where the time goes" aside={choice} min={290}>
      <Told query={costs}>
        {(found) => {
          const parts = sharesOf(found[by]);
          if (parts.length === 0) return <Empty>No chunk has been timed yet.</Empty>;
          return parts.slice(0, MOST).map((one) => (
            <Box key={one.name} sx={{ mb: 0.75 }}>
              <Stack direction="row" sx={{ justifyContent: "space-between", gap: 1 }}>
                <Box component="span" title={one.name} sx={{ overflow: "hidden", textOverflow: "ellipsis", whiteSpace: "nowrap" }}>{short(one.name)}</Box>
                <span style={{ whiteSpace: "nowrap" }}>{long(one.seconds)} · <b>{percent(one.share, 1)}</b></span>
              </Stack>
              <Box style={{ width: `${one.share * 100}%` }} sx={{ height: 4, minWidth: 2, bgcolor: "var(--s-accent)", borderRadius: 1 }} />
            </Box>
          ));
        }}
      </Told>
    </Panel>
  );
}

const long = (seconds: number) => (seconds < 10 ? span(seconds) : duration(seconds));
const each = (one: Figure) => (one.count > 0 ? one.seconds / one.count : null);
const NAME: Column<Figure> = { name: "", cell: (one) => <span title={one.name}>{short(one.name)}</span>, mono: true };
const TIMES: Column<Figure>[] = [
  { name: "time", right: true, cell: (one) => long(one.seconds) },
  { name: "mean", right: true, cell: (one) => span(each(one)) },
  { name: "p50", right: true, cell: (one) => span(one.p50) },
  { name: "p95", right: true, cell: (one) => span(one.p95) },
];
const STEP: Column<Figure>[] = [{ ...NAME, name: "step" }, { name: "chunks", right: true, cell: (one) => count(one.count) }, { name: "rows", right: true, cell: (one) => count(one.rows) }, ...TIMES];
const RULE: Column<Figure>[] = [{ ...NAME, name: "rule" }, { name: "chunks", right: true, cell: (one) => count(one.count) }, { name: "found", right: true, cell: (one) => count(one.rows) }, ...TIMES];
const SYSTEM: Column<Figure>[] = [
  { ...NAME, name: "system" },
  { name: "asked", right: true, cell: (one) => count(one.count) },
  { name: "rows", right: true, cell: (one) => count(one.rows) },
  ...TIMES,
  { name: "sent", right: true, cell: (one) => bytes(one.sent) },
  { name: "received", right: true, cell: (one) => bytes(one.received) },
  { name: "429", right: true, cell: (one) => count(one.throttled) },
  { name: "failed", right: true, cell: (one) => (one.failed > 0 ? <Box component="b" sx={{ color: "var(--s-failed)" }}>✕ {count(one.failed)}</Box> : "0") },
  { name: "waited for pace", right: true, cell: (one) => long(one.waited) },
];

const CARDS = { display: "grid", gap: 2, gridTemplateColumns: "repeat(auto-fill, minmax(min(100%, 300px), 1fr))" };

/** Every system in a card of its own, drawn alike; then all of them in one table. */
export function SystemCosts({ run, job, state }: { run: string; job: string; state: Shape<"RunState"> }) {
  const costs = useCosts(run, state);
  const deep = (system: string) => `/systems?${new URLSearchParams({ system: `${job}/${system}`, run }).toString()}`;
  return (
    <Told query={costs} lines={10}>
      {(found) => (found.systems.length === 0 ? <Panel title="Systems"><Empty>No system has been asked yet.</Empty></Panel> : (
        <>
          <Box sx={CARDS}>
            {found.systems.map((one) => (
              <Panel key={one.name} title={one.name} aside={<Link to={deep(one.name)} aria-label={`${one.name} over time`}>over time</Link>}><SystemFigures of={one} live={LIVE.has(state)} run={run} /></Panel>
            ))}
          </Box>
          <Panel title="Systems" aside={<span>queries, writes and requests of all workers, added up</span>}>
            <Grid label="systems" columns={SYSTEM} rows={found.systems} keyOf={(one) => one.name} />
          </Panel>
        </>
      ))}
    </Told>
  );
}

export function StepCosts({ run, state }: { run: string; state: Shape<"RunState"> }) {
  const costs = useCosts(run, state);
  return (
    <Panel title="Steps and rules">
      <Told query={costs}>
        {(found) => (found.steps.length === 0 ? <Empty>No step has run yet.</Empty> : (
          <Stack sx={{ gap: 2 }}>
            <Grid label="steps" columns={STEP} rows={found.steps} keyOf={(one) => one.name} />
            {found.rules.length > 0 && <Grid label="rules" columns={RULE} rows={found.rules} keyOf={(one) => one.name} />}
          </Stack>
        ))}
      </Told>
    </Panel>
  );
}
