import { Box, Stack, Typography } from "@mui/material";
import { memo, useMemo, type ReactNode } from "react";
import { CartesianGrid, Line, LineChart as Drawn, ReferenceLine, ResponsiveContainer, Tooltip, XAxis, YAxis } from "recharts";
import { clock } from "./format";
import type { Mark } from "./marks";
import { Panel } from "./parts";
import { useTurn } from "./turns";

/** One line of a chart, over points of a series. */
export interface Curve<P> {
  name: string;
  of: (point: P) => number | null;
  colour: string;
  dash?: string;
}
interface Asked<P> {
  data: P[];
  made: Mark[];
  title: string;
  lines: Curve<P>[];
  show: (value: number) => string;
  top?: number;
  /** Within a panel of several charts: without one of its own. */
  bare?: boolean;
  /** Marks are told in words by another chart beside it. */
  quiet?: boolean;
  /** What stands beside the legend. */
  aside?: ReactNode;
}

/** One of several charts of one time axis: whoever points at one reads them all. */
export function LineChart<P extends { at: number }>({ data, made, title, lines, show, top, bare, quiet, aside }: Asked<P>) {
  const from = data[0]?.at ?? 0;
  const to = data[data.length - 1]?.at ?? 1;
  const seen = useMemo(() => made.filter((mark) => mark.at >= from && mark.at <= to), [made, from, to]);
  const legend = lines.length > 1 && <span>{lines.map((line) => <Box key={line.name} component="span" sx={{ color: line.colour, ml: 1 }}>{line.dash ? "╌" : "─"} {line.name}</Box>)}</span>;
  const told = useMemo(() => ({ data, lines, show, top, seen }), [data, lines, show, top, seen]);
  const turn = useTurn(told);
  const height = bare ? 110 : 160;
  const drawn = (
    <>
      <div role="img" aria-label={`${title}, from ${clock(from)} to ${clock(to)}; changes: ${seen.map((mark) => mark.text).join("; ") || "none"}`}>
        {turn ? <Drawing {...turn} height={height} /> : <Box role="status" aria-label="loading" sx={{ height }} />}
      </div>
      {seen.length > 0 && !quiet && <Typography color="text.secondary" sx={{ fontSize: 12 }}>▼ {seen.slice(-4).map((mark) => `${clock(mark.at)} ${mark.text}`).join(" · ")}</Typography>}
    </>
  );
  if (bare) return <div><Stack direction="row" sx={{ justifyContent: "space-between", flexWrap: "wrap" }}><Typography component="h3" sx={{ fontSize: 12, fontWeight: 600 }}>{title}</Typography>{legend}</Stack>{drawn}</div>;
  return <Panel title={title} aside={<Stack direction="row" sx={{ alignItems: "center", flexWrap: "wrap", columnGap: 1 }}>{legend}{aside}</Stack>}>{drawn}</Panel>;
}

interface Shown<P> extends Pick<Asked<P>, "data" | "lines" | "show" | "top"> {
  seen: Mark[];
  height: number;
}

/** The lines themselves: drawn anew only when there is something else to draw. */
const Drawing = memo(function Drawing<P extends { at: number }>({ data, lines, show, top, seen, height }: Shown<P>) {
  const from = data[0]?.at ?? 0;
  const to = data[data.length - 1]?.at ?? 1;
  const said = (at: number) => [clock(at), ...seen.filter((mark) => Math.abs(mark.at - at) <= (to - from) / 60).map((mark) => mark.text)].join(" · ");
  return (
    <ResponsiveContainer width="100%" height={height}>
      <Drawn data={data} syncId="run" syncMethod="value" margin={{ top: 8, right: 8, bottom: 0, left: 0 }} accessibilityLayer={false}>
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
        {lines.map((line) => <Line key={line.name} dataKey={line.of} name={line.name} stroke={line.colour} strokeDasharray={line.dash} dot={false} strokeWidth={1.5} isAnimationActive={false} connectNulls={false} type="linear" />)}
      </Drawn>
    </ResponsiveContainer>
  );
}) as <P extends { at: number }>(props: Shown<P>) => ReactNode;
