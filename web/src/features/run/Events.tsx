import { Box } from "@mui/material";
import { memo } from "react";
import type { Shape } from "../../api/client";
import { clock, moment } from "../../shared/format";
import { Empty, Panel } from "../../shared/parts";
import { byWhom, saidOf } from "../../shared/said";
import { LEVEL_LOOK } from "../../shared/states";

/** One line of events or of the log: when, how grave, what, in words, by whom. */
export const Line = memo(function Line({ at, level, name, data }: { at: number; level: string; name: string; data: Record<string, unknown> }) {
  const look = LEVEL_LOOK[level];
  return (
    <div className="line">
      <span title={moment(at)}>{clock(at)}</span>
      <span className="grave" aria-label={look ? level : undefined} role={look ? "img" : undefined} style={{ color: look?.colour }}>{look?.sign}</span>
      <b style={{ color: look?.colour }}>{name}</b>
      <span className="said">{saidOf(name, data)}</span>
      <span className="by mono">{byWhom(data)}</span>
    </div>
  );
});

/** What happened, the newest first. */
export function Events({ events, connected, height = 320 }: { events: Shape<"EventShape">[]; connected: boolean; height?: number | string }) {
  return (
    <Panel title="Events" aside={<span role="status">{connected ? "● live" : "○ polling"}</span>}>
      {events.length === 0 && <Empty>Nothing has happened yet.</Empty>}
      <Box tabIndex={0} role="region" aria-label="events" sx={{ maxHeight: height, overflow: "auto" }}>
        {[...events].reverse().map((event) => <Line key={event.number} at={event.at} level={event.level} name={event.name} data={event.data} />)}
      </Box>
    </Panel>
  );
}
