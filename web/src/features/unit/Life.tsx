import type { ReactNode } from "react";
import { Box, Typography } from "@mui/material";
import { useQuery } from "@tanstack/react-query";
import { get, type Shape } from "../../api/client";
import { clock, moment, span } from "../../shared/format";
import { Empty } from "../../shared/parts";
import { lifeOf, meansOf, tookOf, tookText, type Took } from "./life";

const TWO = { display: "grid", gap: 3, gridTemplateColumns: { xs: "minmax(0, 1fr)", md: "minmax(0, 3fr) minmax(0, 2fr)" } };

/** What happened to a unit, from the left edge of time downwards; beside it what a chunk of its run costs by phase. */
export function Life({ unit }: { unit: Shape<"UnitShape"> }) {
  const found = lifeOf(unit.history, unit.calls);
  if (found.length === 0) return <Empty>Nothing has happened to it yet: no worker has claimed it.</Empty>;
  return (
    <Box sx={TWO}>
      <Box>
        <Typography color="text.secondary" sx={{ fontSize: 12, mb: 1 }}>from {moment(found[0]?.at)}</Typography>
        <Box component="ol" aria-label={`life in ${unit.run}`} sx={{ listStyle: "none", m: 0, p: 0, pl: 2, ml: 0.5, borderLeft: "2px solid var(--grid)", alignSelf: "start" }}>
          {found.map((one, index) => (
            <Box component="li" key={index} sx={{ position: "relative", pb: 1, display: "grid", gridTemplateColumns: "auto 64px minmax(0, 1fr)", columnGap: 1, "&::before": { content: '""', position: "absolute", left: -21, top: 6, width: 8, height: 8, borderRadius: "50%", bgcolor: `var(--s-${one.colour})` } }}>
              <span title={moment(one.at)}>{clock(one.at)}</span>
              <Box component="span" sx={{ textAlign: "right", color: "text.secondary" }}>{tookText(one.took)}</Box>
              <Box component="span" sx={{ overflowWrap: "anywhere" }}><b>{one.what.replaceAll("_", " ")}</b> {one.says}</Box>
            </Box>
          ))}
        </Box>
      </Box>
      <Phases unit={unit} />
    </Box>
  );
}

/** Units of a chunk go through it together: its times are theirs. A chunk of an older version kept none; then the run's mean is shown, and said to be one. */
function Phases({ unit }: { unit: Shape<"UnitShape"> }) {
  const own = tookOf(unit.history);
  return own ? <Times title="What its chunk took" note="All units of a chunk go through these together." {...own} /> : <Means run={unit.run} />;
}

function Means({ run }: { run: string }) {
  const figures = useQuery({ queryKey: ["runs", run, "figures"], queryFn: () => get("/api/v1/runs/{run}/figures", { run }), staleTime: 30_000 });
  const steps = [...(figures.data?.steps ?? []), ...(figures.data?.rules ?? [])].filter((one) => one.count > 0).map((one) => ({ name: one.name, seconds: one.seconds / one.count }));
  return (
    <Times title="A chunk of this run, on average" note="Nothing is kept of a chunk of its own: it is not decided, or by an older version." phases={meansOf(figures.data?.phases ?? [])} steps={steps}>
      {figures.data && figures.data.phases.length === 0 && <Empty>No chunk has been timed yet.</Empty>}
    </Times>
  );
}

function Times({ title, note, phases, steps, children }: Took & { title: string; note: string; children?: ReactNode }) {
  return (
    <Box sx={{ minHeight: 120 }}>
      <Typography component="h3" variant="h2">{title}</Typography>
      <Typography color="text.secondary" sx={{ fontSize: 12, mb: 1 }}>{note}</Typography>
      {children}
      {phases.map((one) => <Bar key={one.name} word={one.word} seconds={one.seconds} share={one.share} />)}
      {steps.length > 0 && (
        <details>
          <summary>steps and rules, one by one</summary>
          {steps.map((one) => <Bar key={one.name} word={one.name.replace(/^steps\//, "")} seconds={one.seconds} share={0} mono />)}
        </details>
      )}
    </Box>
  );
}

function Bar({ word, seconds, share, mono }: { word: string; seconds: number; share: number; mono?: boolean }) {
  return (
    <Box sx={{ display: "grid", gridTemplateColumns: mono ? "minmax(0, 1fr) 64px" : "minmax(0, 1fr) 64px minmax(0, 1fr)", columnGap: 1, alignItems: "center" }}>
      <Box component="span" className={mono ? "mono" : undefined} sx={{ overflowWrap: "anywhere" }}>{word}</Box>
      <Box component="span" sx={{ textAlign: "right" }}>{span(seconds)}</Box>
      {!mono && <Box sx={{ height: 4, minWidth: 2, bgcolor: "var(--s-accent)", borderRadius: 1 }} style={{ width: `${share * 100}%` }} />}
    </Box>
  );
}
