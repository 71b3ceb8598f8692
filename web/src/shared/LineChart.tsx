import { Box, Stack, Typography } from "@mui/material";
import { memo, useMemo, type ReactNode } from "react";
import { CartesianGrid, Line, LineChart as Drawn, ReferenceLine, Tooltip, XAxis, YAxis } from "recharts";
import { clock } from "./format";
import type { Mark } from "./marks";
import { Panel } from "./parts";
import { moments, thinned, type Of, type Row } from "./thin";
import { useTurn } from "./turns";
import { useWidth } from "./width";

/** One line of a chart, over points of a series. */
export interface Curve<P> extends Of<P> {
  name: string;
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
  const [place, width] = useWidth<HTMLDivElement>();
  const told = useMemo(() => (width ? { data, lines, show, top, seen, width } : undefined), [data, lines, show, top, seen, width]);
  const turn = useTurn(told);
  const height = bare ? 110 : 160;
  const drawn = (
    <>
      <div ref={place} role="img" aria-label={`${title}, from ${clock(from)} to ${clock(to)}; changes: ${seen.map((mark) => mark.text).join("; ") || "none"}`}>
        {turn ? <Drawing {...turn} height={height} /> : width === 0 ? <div data-later style={{ height }} /> : <div role="status" aria-label="loading" style={{ height }} />}
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
  width: number;
}

const LEFT = 64;
/** Pixels that a moment below the chart takes. */
const APART = 84;
/** Pixels before the edge within which a moment's middle would be cut off. */
const EDGE = 32;
const none = () => [];

/** The lines themselves: drawn anew only when there is something else to draw. Their axes are words of our own: to make words of any length fit, Recharts has the browser lay out the whole page for each. */
const Drawing = memo(function Drawing<P extends { at: number }>({ data, lines, show, top, seen, height, width }: Shown<P>) {
  const rows = useMemo(() => thinned(data, lines), [data, lines]);
  const from = data[0]?.at ?? 0;
  const to = data[data.length - 1]?.at ?? 1;
  const said = (at: number) => [clock(at), ...seen.filter((mark) => Math.abs(mark.at - at) <= (to - from) / 60).map((mark) => mark.text)].join(" · ");
  const below = moments(from, to, Math.floor((width - LEFT) / APART), -60 * new Date(from * 1000).getTimezoneOffset());
  return (
    <Drawn data={rows} width={width} height={height} syncId="run" syncMethod="value" margin={{ top: 8, right: 8, bottom: 0, left: 0 }} accessibilityLayer={false}>
      <CartesianGrid stroke="var(--grid)" vertical={false} verticalCoordinatesGenerator={none} />
      <XAxis dataKey="at" type="number" domain={[from, to]} ticks={below} interval={0} tick={(at: Tick) => <text x={at.x} y={Number(at.y) + 8} textAnchor={Number(at.x) > width - EDGE ? "end" : "middle"} fill="var(--s-pending)" fontSize={11}>{clock(Number(at.payload.value))}</text>} stroke="var(--s-pending)" />
      <YAxis width={LEFT} domain={[0, top ?? "auto"]} interval={0} tick={(at: Tick) => <text x={at.x} y={Number(at.y) + 4} textAnchor="end" fill="var(--s-pending)" fontSize={11}>{show(Number(at.payload.value))}</text>} stroke="var(--s-pending)" />
      <Tooltip
        isAnimationActive={false}
        contentStyle={{ background: "var(--mui-palette-background-paper)", border: "1px solid var(--grid)" }}
        labelFormatter={(at) => said(Number(at))}
        formatter={(value) => show(Number(value))}
      />
      {seen.map((mark) => <ReferenceLine key={mark.at + mark.text} x={mark.at} stroke="var(--s-quarantined)" strokeDasharray="3 3" label={{ value: "▼", position: "insideTop", fill: "var(--s-quarantined)", fontSize: 10 }} />)}
      {lines.map((line, index) => <Line key={line.name} dataKey={(row: Row) => row.values[index]} name={line.name} stroke={line.colour} strokeDasharray={line.dash} dot={false} strokeWidth={1.5} isAnimationActive={false} connectNulls={false} type="linear" />)}
    </Drawn>
  );
}) as <P extends { at: number }>(props: Shown<P>) => ReactNode;

interface Tick {
  x: number | string;
  y: number | string;
  payload: { value: number };
}
