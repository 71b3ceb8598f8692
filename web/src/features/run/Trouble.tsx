import { Alert } from "@mui/material";
import { Link } from "react-router-dom";
import type { Shape } from "../../api/client";
import { clock, count, moment } from "../../shared/format";
import { awayOf, leftOf, pauseOf, TURN } from "./trouble";

interface Asked {
  run: string;
  state: Shape<"RunState">;
  reason: string;
  waiting: Shape<"WaitingShape">[];
  events: Shape<"EventShape">[];
  counters: Shape<"CountersShape">;
  /** When it ended, if it did. */
  ended: number | null | undefined;
  /** It goes on, but nobody holds it. */
  alone: boolean;
}

/** What is wrong, since when, whose turn it is, and where to look next. */
export function Trouble({ run, state, reason, waiting, events, counters, ended, alone }: Asked) {
  const going = state === "running" || state === "paused";
  const away = going ? awayOf(events) : [];
  const pause = state === "paused" ? pauseOf(reason, events) : null;
  const calls = (system: string) => `/calls?${new URLSearchParams({ run, system }).toString()}`;
  const rest = waiting.filter((one) => !away.some((gone) => one.reason.includes(gone.error) && gone.error));
  const held = waiting.reduce((sum, one) => sum + one.chunks, 0);
  return (
    <>
      {reason && (
        <Alert severity={state === "failed" ? "error" : "info"} sx={{ mt: 1.5 }}>
          {reason}
          {state === "failed" && <>{ended != null && ` (since ${moment(ended)})`}. {TURN.failed} <Link to={`/runs/${encodeURIComponent(run)}?tab=events&level=error`}>its errors</Link>{counters.quarantined > 0 && <> · <Link to={`/quarantine?${new URLSearchParams({ run }).toString()}`}>its quarantine</Link></>}</>}
          {pause && <>{pause.since != null && ` (since ${moment(pause.since)})`}. {TURN[pause.by]}{pause.by === "window" && <> <Link to="/schedules">its windows</Link></>}</>}
        </Alert>
      )}
      {away.map((one) => (
        <Alert key={one.system} severity="warning" sx={{ mt: 1.5 }}>
          {one.system} is away since {clock(one.since)}: {one.error}. {held > 0 && `${chunks(held)}. `}It goes on by itself when it answers. <Link to={calls(one.system)}>its calls</Link>
        </Alert>
      ))}
      {rest.map((one) => (
        <Alert key={one.reason} severity="warning" sx={{ mt: 1.5 }}>
          {chunks(one.chunks)}: {one.reason}. They are tried again by themselves. <Link to={calls("")}>the calls of this run</Link>
        </Alert>
      ))}
      {leftOf(run, state, counters).map((one) => <Alert key={one.to} severity="warning" sx={{ mt: 1.5 }}>{one.text} <Link to={one.to}>{one.link}</Link></Alert>)}
      {alone && <Alert severity="warning" sx={{ mt: 1.5 }}>Nobody holds this run: its supervisor is gone. Resume it to go on.</Alert>}
    </>
  );
}

const chunks = (number: number) => `${count(number)} ${number === 1 ? "chunk waits" : "chunks wait"}`;
