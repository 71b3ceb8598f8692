import { Box, Stack, Typography } from "@mui/material";
import { Link } from "react-router-dom";
import type { Shape } from "../api/client";
import { bytes, count, duration, percent, span } from "./format";
import { barsOf, CALLS, callsOf, outcomesOf, REQUESTS, type Outcome } from "./passed";

type Figure = Shape<"SystemFigureShape">;
const QUIET = { fontSize: 12, color: "text.secondary" } as const;

/** What passed to and from one system over a run: outcomes, times by class, bytes, what was held back. Systems that are only read or written have no outcomes. */
export function SystemFigures({ of, live, run }: { of: Figure; live: boolean; run: string }) {
  const called = Object.keys(of.requests ?? {}).length > 0;
  const facts: [string, string, string?][] = [
    ...(called && live ? [["in flight now", count(of.in_flight)] as [string, string]] : []),
    ["rows", count(of.rows)],
    ["sent", bytes(of.sent)],
    ["received", bytes(of.received)],
    ...(called ? ([["429s", count(of.throttled), of.throttled > 0 ? "paused" : ""], ["waited for pace", of.waited > 0 ? waited(of.waited) : "never"]] as [string, string, string?][]) : []),
  ];
  return (
    <Stack sx={{ gap: 1.5 }}>
      {called && <Outcomes title="requests, by answer" found={outcomesOf(of.requests ?? {}, REQUESTS)} />}
      {called && <Outcomes title="calls, by outcome" found={outcomesOf(of.calls ?? {}, CALLS)} to={(outcome) => callsOf(outcome, run, of.name)} />}
      <Times of={of} called={called} />
      <Box component="dl" sx={{ display: "grid", gridTemplateColumns: "repeat(auto-fill, minmax(92px, 1fr))", gap: 1, m: 0, "& dt": QUIET, "& dd": { m: 0 } }}>
        {facts.map(([name, value, colour]) => <div key={name}><dt>{name}</dt><Box component="dd" sx={colour ? { color: `var(--s-${colour})`, fontWeight: 600 } : {}}>{value}</Box></div>)}
      </Box>
    </Stack>
  );
}

const waited = (seconds: number) => (seconds < 10 ? span(seconds) : duration(seconds));

function Outcomes({ title, found, to }: { title: string; found: Outcome[]; to?: (outcome: string) => string | null }) {
  const total = found.reduce((sum, one) => sum + one.count, 0);
  return (
    <div>
      <Stack direction="row" sx={{ justifyContent: "space-between", ...QUIET }}><span>{title}</span><span>{count(total)}</span></Stack>
      <Box aria-hidden="true" sx={{ display: "flex", height: 8, my: 0.5, borderRadius: 1, overflow: "hidden", bgcolor: "var(--bar-rest)" }}>
        {found.map((one) => <Box key={one.name} sx={{ flex: `0 0 ${one.share * 100}%`, minWidth: 3, bgcolor: one.look.colour }} />)}
      </Box>
      <Stack direction="row" sx={{ flexWrap: "wrap", columnGap: 1.5 }}>
        {found.length === 0 && <Box component="span" sx={QUIET}>none yet</Box>}
        {found.map((one) => (
          <Box key={one.name} component="span" title={percent(one.count, total)} sx={{ whiteSpace: "nowrap" }}>
            <Box component="span" sx={{ color: one.look.colour, fontWeight: 700 }}><span aria-hidden="true">{one.look.sign} </span>{count(one.count)}</Box> <Behind to={to?.(one.name) ?? null}>{one.look.word}</Behind>
          </Box>
        ))}
      </Stack>
    </div>
  );
}

function Behind({ to, children }: { to: string | null; children: string }) {
  return to ? <Link to={to}>{children}</Link> : children;
}

function Times({ of, called }: { of: Figure; called: boolean }) {
  const bars = barsOf(of.latencies ?? []);
  const said = `p50 ${span(of.p50)}, p95 ${span(of.p95)}`;
  return (
    <div>
      <Stack direction="row" sx={{ justifyContent: "space-between", flexWrap: "wrap", columnGap: 1, ...QUIET }}><Box component="span" sx={{ whiteSpace: "nowrap" }}>{called ? "requests" : "statements"}, by time</Box><Box component="span" sx={{ whiteSpace: "nowrap", fontVariantNumeric: "tabular-nums" }}>{said}</Box></Stack>
      {bars.length === 0 ? <Box sx={{ ...QUIET, height: 64 }}>none timed yet</Box> : (
        <Box role="img" aria-label={`${said}; ${bars.filter((one) => one.count > 0).map((one) => one.says).join("; ")}`} sx={{ display: "grid", gridTemplateColumns: `repeat(${bars.length}, minmax(0, 1fr))`, columnGap: "2px" }}>
          {bars.map((one) => (
            <Box key={one.of} title={one.says} sx={{ height: 48, display: "flex", alignItems: "flex-end", borderBottom: "1px solid var(--s-pending)" }}>
              <Box sx={{ width: "100%", bgcolor: "var(--s-accent)" }} style={{ height: `${one.height * 100}%`, minHeight: one.count > 0 ? 2 : 0 }} />
            </Box>
          ))}
          {bars.map((one, at) => <Typography key={one.of} sx={{ ...QUIET, fontSize: 11, whiteSpace: "nowrap", overflow: "visible", justifySelf: at === bars.length - 1 ? "end" : "start" }}>{one.tick}</Typography>)}
        </Box>
      )}
    </div>
  );
}
