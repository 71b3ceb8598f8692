/** One run for a wall: read from five metres, touched by nobody. `Esc` leaves it. */
import { Box } from "@mui/material";
import { useQuery } from "@tanstack/react-query";
import { useEffect, useState, type ReactNode } from "react";
import { useNavigate, useParams } from "react-router-dom";
import { get, type Shape } from "../../api/client";
import { clock, count, duration, etaText, percent, rate, zoneName } from "../../shared/format";
import { Failure, RunSign, Waiting } from "../../shared/parts";
import { StateBar } from "../../shared/StateBar";
import { useTitle } from "../../shared/title";
import { LIVE, RUN_LOOK, settledOf, shares, UNIT_LOOK } from "../../shared/states";
import { Window } from "../../shared/Window";

const EVERY = 2_000;
const SILENT = 15;
/** Sizes follow the smaller side: on a screen of 70 cm height, 3.2% are letters of 2 cm, which is what five metres ask for. */
const size = (part: number) => `max(13px, min(${part}vh, ${part * 0.9}vw))`;

export default function WallPage() {
  const { run: id = "" } = useParams();
  const go = useNavigate();
  const run = useQuery({ queryKey: ["runs", id, "run"], queryFn: () => get("/api/v1/runs/{run}", { run: id }), refetchInterval: 15_000 });
  const progress = useQuery({ queryKey: ["runs", id, "progress"], queryFn: () => get("/api/v1/runs/{run}/progress", { run: id }), refetchInterval: EVERY, refetchIntervalInBackground: true });
  const now = useNow();
  useEffect(() => {
    const leave = (event: KeyboardEvent) => { if (event.key === "Escape") go(`/runs/${id}`); };
    window.addEventListener("keydown", leave);
    return () => window.removeEventListener("keydown", leave);
  }, [go, id]);
  if (!run.data || !progress.data) return <Box component="main" sx={{ p: 4 }}>{run.error ? <Failure error={run.error} /> : <Waiting lines={8} />}</Box>;
  return <Wall run={run.data} progress={progress.data} silent={now - progress.dataUpdatedAt / 1000} now={now} />;
}

function useNow(): number {
  const [now, setNow] = useState(Date.now() / 1000);
  useEffect(() => {
    const timer = setInterval(() => setNow(Date.now() / 1000), 1_000);
    return () => clearInterval(timer);
  }, []);
  return now;
}

interface Seen {
  run: Shape<"RunShape">;
  progress: Shape<"ProgressShape">;
  silent: number;
  now: number;
}

function Wall({ run, progress, silent, now }: Seen) {
  const { counters, state } = progress;
  useTitle(`${percent(settledOf(counters), counters.total)} ${run.job}`, RUN_LOOK[state].word);
  const live = LIVE.has(state);
  const trouble = troubleOf(progress, silent);
  return (
    <Box component="main" sx={{ minHeight: "100vh", p: "3vh 3vw", display: "flex", flexDirection: "column", justifyContent: "space-between", gap: "2vh", fontSize: size(3.6), lineHeight: 1.2 }}>
      <Box sx={{ display: "flex", flexWrap: "wrap", justifyContent: "space-between", alignItems: "baseline", columnGap: "3vw" }}>
        <Box component="h1" sx={{ m: 0, fontSize: size(6) }}>{run.job}</Box>
        <Box sx={{ fontSize: size(6) }} role="status"><RunSign state={state} /></Box>
        <span>{clock(now)} {zoneName(now)}</span>
      </Box>
      <Box sx={{ fontSize: size(24), fontWeight: 700, lineHeight: 1, textAlign: "center" }} data-testid="percent">{percent(settledOf(counters), counters.total)}</Box>
      <Box sx={{ height: "7vh" }}><StateBar counters={counters} height="100%" /></Box>
      <Box sx={{ display: "grid", gridTemplateColumns: "repeat(auto-fit, minmax(min(22vw, 100%), 1fr))", gap: "2vh 2vw", "@media (max-width: 600px)": { gridTemplateColumns: "1fr 1fr" } }}>
        {shares(counters).filter((part) => part.units > 0 || part.state === "done" || part.state === "pending").map((part) => (
          <Figure key={part.state} colour={UNIT_LOOK[part.state].colour} name={`${UNIT_LOOK[part.state].sign} ${UNIT_LOOK[part.state].word}`}>{count(part.units)}</Figure>
        ))}
        {live && <Figure name="pace">{rate(progress.rate)}</Figure>}
        {live ? <Figure name="ends" wide>{etaText(progress.eta, now)}</Figure> : <Figure name="took">{duration(run.seconds)}</Figure>}
        {live && <Figure name="running for">{duration(run.started_at ? now - run.started_at : null)}</Figure>}
        {live && <Figure name="workers">{count(progress.workers)}</Figure>}
      </Box>
      {live && <Box sx={{ "& a": { color: "inherit", textDecoration: "none" } }}><Window run={run.id} now={now} /></Box>}
      <Box role="alert" sx={{ minHeight: size(9), p: trouble ? "1vh 1.5vw" : 0, border: trouble ? "4px solid var(--s-failed)" : 0, borderRadius: 1, fontWeight: 600, overflowWrap: "anywhere" }}>{trouble}</Box>
    </Box>
  );
}

function Figure({ name, colour, wide, children }: { name: string; colour?: string; wide?: boolean; children: ReactNode }) {
  return (
    <Box sx={wide ? { gridColumn: "span 2" } : {}}>
      <Box sx={{ color: colour ?? "text.secondary" }}>{name}</Box>
      <Box sx={{ fontSize: size(6.5), fontWeight: 700 }}>{children}</Box>
    </Box>
  );
}

/** What is wrong, in one line; nothing where nothing is. */
export function troubleOf(progress: Pick<Shape<"ProgressShape">, "state" | "held" | "reason" | "waiting">, silent: number): string {
  if (silent > SILENT) return `No answer from the server for ${duration(silent)}: these figures are old`;
  if (LIVE.has(progress.state) && progress.state !== "paused" && !progress.held) return "Nobody holds this run: it does not go on by itself";
  const first = progress.waiting[0];
  if (first) return `${count(first.chunks)} ${first.chunks === 1 ? "chunk waits" : "chunks wait"}: ${first.reason}`;
  return progress.reason;
}
