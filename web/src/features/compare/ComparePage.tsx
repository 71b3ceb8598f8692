/** Two runs side by side: states, reasons, rows, pace, settings; what differs is marked by a word, not by colour alone. */
import { Box, FormControlLabel, Stack, Switch, Typography } from "@mui/material";
import { useQuery } from "@tanstack/react-query";
import { Link, useParams } from "react-router-dom";
import { get, type Shape } from "../../api/client";
import { useFilters } from "../../shared/filters";
import { Facts } from "../../shared/Facts";
import { count, duration, moment, percent, rate } from "../../shared/format";
import { Grid, type Column } from "../../shared/Grid";
import { later } from "../../shared/later";
import { Empty, Panel, RunSign, Told } from "../../shared/parts";
import { StateBar } from "../../shared/StateBar";
import { settledOf, UNIT_LOOK, type UnitState } from "../../shared/states";
import { change, differing } from "./pairs";

const Pace = later(() => import("./Pace"), <Panel title="Units settled, by time since the start" min={256}>{null}</Panel>);
type Number = Shape<"NumberPairShape">;
type Setting = Shape<"SettingPairShape">;
const PARTS = [["state", "Units by state"], ["reason", "Units set aside, by reason"], ["source", "Rows read"], ["output", "Rows written"]] as const;
/** A state by its word; anything else by its name. */
const worded = (name: string): string => UNIT_LOOK[name as UnitState]?.word ?? name;
const NUMBERS: Column<Number>[] = [
  { name: "what", wide: 200, cell: (one) => <>{worded(one.name)}{one.state && one.state !== one.name && ` (${worded(one.state)})`}</> },
  { name: "A", right: true, cell: (one) => count(one.a) },
  { name: "B", right: true, cell: (one) => count(one.b) },
  { name: "B against A", right: true, cell: (one) => (one.a === one.b ? "same" : <b>{change(one.a, one.b)}</b>) },
];
const text = (value: unknown) => (value == null ? "–" : typeof value === "object" ? JSON.stringify(value) : String(value));
const SETTINGS: Column<Setting>[] = [
  { name: "setting", mono: true, tight: true, cell: (one) => one.name },
  { name: "A", mono: true, wide: 120, cell: (one) => text(one.a) },
  { name: "B", mono: true, wide: 120, cell: (one) => text(one.b) },
  { name: "verdict", tight: true, cell: (one) => (one.same ? "same" : <b>≠ differs</b>) },
];

export default function ComparePage() {
  const { run = "", other = "" } = useParams();
  const [{ all }, set] = useFilters(["all"] as const);
  const found = useQuery({ queryKey: ["compare", run, other], queryFn: () => get("/api/v1/runs/{run}/compare/{other}", { run, other }) });
  return (
    <Stack sx={{ gap: 2 }}>
      <Stack direction="row" sx={{ justifyContent: "space-between", flexWrap: "wrap", gap: 1 }}>
        <Typography variant="h1">Two runs side by side</Typography>
        <FormControlLabel control={<Switch size="small" checked={all === "1"} onChange={(event) => set({ all: event.target.checked ? "1" : "" })} />} label="Also what is the same" />
      </Stack>
      <Told query={found} lines={12}>
        {(both) => (
          <>
            <Box sx={{ display: "grid", gap: 2, gridTemplateColumns: { xs: "minmax(0, 1fr)", md: "minmax(0, 1fr) minmax(0, 1fr)" } }}>
              <Side name="A" side={both.a} /><Side name="B" side={both.b} />
            </Box>
            <Pace a={both.a} b={both.b} />
            {PARTS.map(([kind, title]) => {
              const rows = differing(both.counts.filter((one) => one.kind === kind), all === "1");
              return <Panel key={kind} title={title}>{rows.length === 0 ? <Empty>No difference.</Empty> : <Grid label={title} columns={NUMBERS} rows={rows} keyOf={(one) => one.name + one.state} />}</Panel>;
            })}
            <Settings pairs={all === "1" ? both.settings : both.settings.filter((one) => !one.same)} />
          </>
        )}
      </Told>
    </Stack>
  );
}

const Settings = ({ pairs }: { pairs: Setting[] }) => <Panel title="Settings">{pairs.length === 0 ? <Empty>No difference.</Empty> : <Grid label="settings" columns={SETTINGS} rows={pairs} keyOf={(one) => one.name} />}</Panel>;

function Side({ name, side }: { name: string; side: Shape<"SideShape"> }) {
  const { run } = side;
  return (
    <Panel title={<>{name}: <Link to={`/runs/${encodeURIComponent(run.id)}`}>{run.id}</Link></>} aside={<RunSign state={run.state} />}>
      <StateBar counters={run.counters} />
      <Box sx={{ mt: 1 }}>
        <Facts of={[["job", run.job], ["version", <code>{run.version}</code>], ["started", `${moment(run.started_at)} by ${run.actor}`], ["took", duration(run.seconds)], ["settled", `${percent(settledOf(run.counters), run.counters.total)} of ${count(run.counters.total)} units`], ["mean pace", rate(side.rate)]]} />
      </Box>
    </Panel>
  );
}
