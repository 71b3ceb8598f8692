import { Box } from "@mui/material";
import { CartesianGrid, Line, LineChart, ResponsiveContainer, Tooltip, XAxis, YAxis } from "recharts";
import type { Shape } from "../../api/client";
import { count, duration } from "../../shared/format";
import { Empty, Panel } from "../../shared/parts";
import { together } from "./pairs";

const SIDES = [{ of: "a", name: "A", colour: "var(--s-accent)", dash: undefined }, { of: "b", name: "B", colour: "var(--s-doubt)", dash: "6 3" }] as const;

/** How far each run was so many seconds after its start. */
export default function Pace({ a, b }: { a: Shape<"SideShape">; b: Shape<"SideShape"> }) {
  const data = together(a.pace, b.pace);
  const key = <span>{SIDES.map((side) => <Box key={side.of} component="span" sx={{ color: side.colour, ml: 1 }}>{side.dash ? "╌" : "─"} {side.name}</Box>)}</span>;
  return (
    <Panel title="Units settled, by time since the start" aside={key} min={256}>
      {data.length < 2 ? <Empty>Neither run has settled a unit yet.</Empty> : (
        <div role="img" aria-label={`A settled ${count(a.pace[a.pace.length - 1]?.settled ?? 0)} units, B ${count(b.pace[b.pace.length - 1]?.settled ?? 0)}`}>
          <ResponsiveContainer width="100%" height={200}>
            <LineChart data={data} margin={{ top: 8, right: 8, bottom: 0, left: 0 }} accessibilityLayer={false}>
              <CartesianGrid stroke="var(--grid)" vertical={false} />
              <XAxis dataKey="second" type="number" domain={[0, "dataMax"]} tickFormatter={(second: number) => duration(second)} minTickGap={48} stroke="var(--s-pending)" fontSize={11} />
              <YAxis width={64} domain={[0, "auto"]} tickFormatter={(value: number) => count(value)} stroke="var(--s-pending)" fontSize={11} />
              <Tooltip isAnimationActive={false} contentStyle={{ background: "var(--mui-palette-background-paper)", border: "1px solid var(--grid)" }} labelFormatter={(second) => `after ${duration(Number(second))}`} formatter={(value) => count(Number(value))} />
              {SIDES.map((side) => <Line key={side.of} dataKey={side.of} name={side.name} stroke={side.colour} strokeDasharray={side.dash} dot={false} strokeWidth={1.5} isAnimationActive={false} connectNulls={false} type="stepAfter" />)}
            </LineChart>
          </ResponsiveContainer>
        </div>
      )}
    </Panel>
  );
}
