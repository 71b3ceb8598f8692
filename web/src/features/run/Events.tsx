import { Box } from "@mui/material";
import { memo } from "react";
import type { Shape } from "../../api/client";
import { clock, moment } from "../../shared/format";
import { Empty, Panel } from "../../shared/parts";
import { byWhom, saidOf } from "../../shared/said";
import { LEVEL_LOOK } from "../../shared/states";
import { useLength } from "../../shared/turns";

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

/** Lines that are drawn with the page: more than fit into their box. */
export const linesIn = (height: number | string) => (typeof height === "number" ? Math.ceil(height / 10) : 80);

/** What happened, the newest first. */
export function Events({ events, connected, height = 320 }: { events: Shape<"EventShape">[]; connected: boolean; height?: number | string }) {
  const length = useLength(linesIn(height));
  return (
    <Panel title="Events" aside={<span role="status">{connected ? "● live" : "○ polling"}</span>}>
      {events.length === 0 && <Empty>Nothing has happened yet.</Empty>}
      <Box tabIndex={0} role="region" aria-label="events" sx={{ maxHeight: height, overflow: "auto" }}>
        {[...events].reverse().slice(0, length).map((event) => <Line key={event.number} at={event.at} level={event.level} name={event.name} data={event.data} />)}
      </Box>
    </Panel>
  );
}
