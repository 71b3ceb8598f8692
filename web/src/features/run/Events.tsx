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
    <Box sx={{ display: "flex", columnGap: 1, py: 0.25, flexWrap: { xs: "wrap", sm: "nowrap" } }}>
      <span title={moment(at)}>{clock(at)}</span>
      <Box component="span" aria-label={look ? level : undefined} role={look ? "img" : undefined} sx={{ width: 10, flex: "none", fontWeight: 700, color: look?.colour }}>{look?.sign}</Box>
      <Box component="b" sx={{ whiteSpace: "nowrap", color: look?.colour }}>{name}</Box>
      <Box component="span" sx={{ overflowWrap: "anywhere", minWidth: 0, flex: { xs: "1 0 100%", sm: 1 }, order: { xs: 1, sm: 0 } }}>{saidOf(name, data)}</Box>
      <Box component="span" className="mono" sx={{ color: "text.secondary", whiteSpace: "nowrap", ml: "auto" }}>{byWhom(data)}</Box>
    </Box>
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
