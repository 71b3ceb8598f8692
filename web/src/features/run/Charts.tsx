import { Box, Stack, Typography } from "@mui/material";
import { useQuery } from "@tanstack/react-query";
import { CartesianGrid, Line, LineChart, ReferenceLine, ResponsiveContainer, Tooltip, XAxis, YAxis } from "recharts";
import { get, type Shape } from "../../api/client";
import { bytes, clock, percent, rate } from "../../shared/format";
import { Empty, Panel, Told } from "../../shared/parts";
import { marks, points, whereTimeGoes, type Mark, type Point } from "./figures";
import { beat, keyOf } from "./live";

interface Of {
  data: Point[];
  made: Mark[];
  title: string;
  lines: { of: keyof Point; name: string; colour: string; dash?: string }[];
  show: (value: number) => string;
  top?: number;
}

/** Charts of one time axis: whoever points at one reads them all. */
export default function Charts({ run, state }: { run: string; state: Shape<"RunState"> }) {
  const series = useQuery({ queryKey: keyOf(run, "series"), queryFn: () => get("/api/v1/runs/{run}/series", { run }), refetchInterval: beat(state) });
  const commands = useQuery({ queryKey: keyOf(run, "commands"), queryFn: () => get("/api/v1/runs/{run}/commands", { run }) });
  return (
    <Stack sx={{ gap: 2, minWidth: 0 }}>
      <Told query={series} lines={8}>
        {(samples) => {
          const data = points(samples);
          const made = marks(commands.data ?? []);
          if (data.length < 2) return <Panel title="Throughput" min={220}><Empty>The first samples come a few seconds after the start.</Empty></Panel>;
          const share = (value: number) => percent(value, 1);
          return (
            <>
              <Chart title="Throughput, units/s" data={data} made={made} show={rate} lines={[{ of: "rate", name: "units/s", colour: "var(--s-accent)" }]} />
              <Chart title="Host: processor and memory" data={data} made={made} show={share} top={1} lines={[{ of: "cpu", name: "processor", colour: "var(--s-accent)" }, { of: "memory", name: "memory", colour: "var(--s-doubt)", dash: "5 3" }]} />
              <Chart title="Memory of the workers" data={data} made={made} show={bytes} lines={[{ of: "workersMemory", name: "memory", colour: "var(--s-doubt)" }]} />
              <Shares samples={samples} />
            </>
          );
        }}
      </Told>
    </Stack>
  );
}

function Chart({ data, made, title, lines, show, top }: Of) {
  const from = data[0]?.at ?? 0;
  const to = data[data.length - 1]?.at ?? 1;
  const seen = made.filter((mark) => mark.at >= from && mark.at <= to);
  const said = (at: number) => [clock(at), ...seen.filter((mark) => Math.abs(mark.at - at) <= (to - from) / 60).map((mark) => mark.text)].join(" · ");
  return (
    <Panel title={title} aside={lines.length > 1 && <span>{lines.map((line) => <Box key={line.of} component="span" sx={{ color: line.colour, ml: 1 }}>{line.dash ? "╌" : "─"} {line.name}</Box>)}</span>}>
      <div role="img" aria-label={`${title}, from ${clock(from)} to ${clock(to)}; changes: ${seen.map((mark) => mark.text).join("; ") || "none"}`}>
        <ResponsiveContainer width="100%" height={160}>
          <LineChart data={data} syncId="run" syncMethod="value" margin={{ top: 8, right: 8, bottom: 0, left: 0 }} accessibilityLayer={false}>
            <CartesianGrid stroke="var(--grid)" vertical={false} />
            <XAxis dataKey="at" type="number" domain={[from, to]} tickFormatter={(at: number) => clock(at)} minTickGap={48} stroke="var(--s-pending)" fontSize={11} />
            <YAxis width={64} domain={[0, top ?? "auto"]} tickFormatter={show} stroke="var(--s-pending)" fontSize={11} />
            <Tooltip
              isAnimationActive={false}
              contentStyle={{ background: "var(--mui-palette-background-paper)", border: "1px solid var(--grid)" }}
              labelFormatter={(at) => said(Number(at))}
              formatter={(value) => show(Number(value))}
            />
            {seen.map((mark) => <ReferenceLine key={mark.at + mark.text} x={mark.at} stroke="var(--s-quarantined)" strokeDasharray="3 3" label={{ value: "▼", position: "insideTop", fill: "var(--s-quarantined)", fontSize: 10 }} />)}
            {lines.map((line) => <Line key={line.of} dataKey={line.of} name={line.name} stroke={line.colour} strokeDasharray={line.dash} dot={false} strokeWidth={1.5} isAnimationActive={false} connectNulls={false} type="linear" />)}
          </LineChart>
        </ResponsiveContainer>
      </div>
      {seen.length > 0 && <Typography color="text.secondary" sx={{ fontSize: 12 }}>▼ {seen.slice(-4).map((mark) => `${clock(mark.at)} ${mark.text}`).join(" · ")}</Typography>}
    </Panel>
  );
}

function Shares({ samples }: { samples: Shape<"SampleShape">[] }) {
  const found = whereTimeGoes(samples);
  return (
    <Panel title="Where the workers’ time goes">
      {found.length === 0 && <Empty>No worker has been seen at work yet.</Empty>}
      {found.slice(0, 8).map((one) => (
        <Stack key={one.doing} direction="row" sx={{ gap: 1, alignItems: "center", mb: 0.5 }}>
          <Box sx={{ width: 150, overflow: "hidden", textOverflow: "ellipsis" }}>{one.doing}</Box>
          <Box sx={{ flex: 1 }}><Box sx={{ height: 8, width: `${one.share * 100}%`, bgcolor: "var(--s-accent)", borderRadius: 1 }} /></Box>
          <Box sx={{ width: 56, textAlign: "right" }}>{percent(one.share, 1)}</Box>
        </Stack>
      ))}
    </Panel>
  );
}
