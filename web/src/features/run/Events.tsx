import { Box } from "@mui/material";
import { memo } from "react";
import type { Shape } from "../../api/client";
import { clock } from "../../shared/format";
import { Empty, Panel } from "../../shared/parts";

const told = (data: Record<string, unknown>) => Object.entries(data).map(([name, value]) => `${name} ${typeof value === "object" ? JSON.stringify(value) : String(value)}`).join(", ");

/** What happened, the newest first. */
export function Events({ events, connected, height = 320 }: { events: Shape<"EventShape">[]; connected: boolean; height?: number | string }) {
  return (
    <Panel title="Events" aside={<span role="status">{connected ? "● live" : "○ polling"}</span>}>
      {events.length === 0 && <Empty>Nothing has happened yet.</Empty>}
      <Box tabIndex={0} role="region" aria-label="events" sx={{ maxHeight: height, overflow: "auto" }}>
        {[...events].reverse().map((event) => <Line key={event.number} event={event} />)}
      </Box>
    </Panel>
  );
}

const Line = memo(({ event }: { event: Shape<"EventShape"> }) => (
  <div style={{ display: "flex", gap: 8, padding: "2px 0" }}>
    <span>{clock(event.at)}</span>
    <b style={{ whiteSpace: "nowrap" }}>{event.level === "info" ? "" : "! "}{event.name}</b>
    <span style={{ overflowWrap: "anywhere", minWidth: 0 }}>{told(event.data)}</span>
  </div>
));
