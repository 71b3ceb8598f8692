import { Box } from "@mui/material";
import { useQuery } from "@tanstack/react-query";
import { Link } from "react-router-dom";
import { get, type Shape } from "../../api/client";
import { count, rate, span } from "../../shared/format";
import { Grid, type Column } from "../../shared/Grid";
import { failing, nowOf } from "../../shared/lately";
import { Empty, Panel, Sign, Told } from "../../shared/parts";
import { LIVE, type Look } from "../../shared/states";
import { useCosts } from "./Costs";
import { beat } from "./live";
import { keyOf, reads } from "./reads";
import { awayOf } from "./trouble";

type Figure = Shape<"SystemFigureShape">;
const MINUTE = 60;
const AWAY: Look = { word: "away", sign: "✕", colour: "var(--s-failed)" };
const FAILING: Look = { word: "failing now", sign: "!", colour: "var(--s-quarantined)" };
const OK: Look = { word: "ok", sign: "✓", colour: "var(--s-done)" };

/** A line for each system: how it does, how much goes there now, what it has refused; the rest is one click away. */
export function SystemsNow({ run, job, state, events }: { run: string; job: string; state: Shape<"RunState">; events: Shape<"EventShape">[] }) {
  const live = LIVE.has(state);
  const costs = useCosts(run, state);
  const progress = useQuery({ ...reads.progress(run), enabled: false });
  const at = progress.data?.at; // by the clock of the server, not of the reader
  const last = useQuery({
    queryKey: keyOf(run, "now"),
    enabled: live && at !== undefined,
    refetchInterval: beat(state, 5_000),
    queryFn: async () => ({ at: at ?? 0, samples: await get("/api/v1/runs/{run}/figures/series", { run }, { since: Math.max(0, (at ?? 0) - MINUTE) }) }),
  });
  const away = new Set(live ? awayOf(events).map((one) => one.system) : []);
  const now = (one: Figure) => (live && last.data ? nowOf(last.data.samples, one.name, last.data.at) : null);
  const look = (one: Figure) => (away.has(one.name) ? AWAY : failing(now(one)) ? FAILING : OK);
  const bad = (of: Figure, value: number, colour: string, sign: string) => {
    if (value === 0) return "0";
    const text = <Box component="b" sx={{ color: `var(--s-${colour})` }}><span aria-hidden="true">{sign} </span>{count(value)}</Box>;
    return Object.keys(of.requests ?? {}).length > 0 ? <Link to={`/calls?${new URLSearchParams({ run, system: of.name }).toString()}`}>{text}</Link> : text;
  };
  const columns: Column<Figure>[] = [
    { name: "system", tight: true, cell: (one) => <Link to={`/systems?${new URLSearchParams({ system: `${job}/${one.name}`, run }).toString()}`}>{one.name}</Link> },
    ...(live ? ([{ name: "state", tight: true, cell: (one) => <Sign look={look(one)} /> }, { name: "now", right: true, cell: (one) => rate(now(one)?.calls) }] as Column<Figure>[]) : []),
    { name: "asked", right: true, cell: (one) => count(one.count) },
    { name: "rows", right: true, cell: (one) => count(one.rows) },
    { name: "p95", right: true, cell: (one) => span(one.p95) },
    { name: "429", right: true, cell: (one) => bad(one, one.throttled, "paused", "↻") },
    { name: "failed", right: true, cell: (one) => bad(one, one.failed, "failed", "✕") },
  ];
  return (
    <Panel title="Systems" aside={<Link to="?tab=systems">more</Link>} min={140}>
      <Told query={costs} lines={4}>{(found) => (found.systems.length === 0 ? <Empty>No system has been asked yet.</Empty> : <Grid label="systems of the run" columns={columns} rows={found.systems} keyOf={(one) => one.name} />)}</Told>
    </Panel>
  );
}
