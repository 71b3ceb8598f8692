import { Box } from "@mui/material";
import type { Shape } from "../../api/client";
import { clock, moment } from "../../shared/format";
import { Empty } from "../../shared/parts";

const told = (data: Record<string, unknown>) => Object.entries(data).map(([name, value]) => `${name} ${typeof value === "object" ? JSON.stringify(value) : String(value)}`).join(", ");

/** What happened to a unit, from the left edge of time downwards. */
export function Life({ history }: { history: Shape<"HistoryShape">[] }) {
  if (history.length === 0) return <Empty>Nothing has happened to it yet.</Empty>;
  return (
    <Box component="ol" sx={{ listStyle: "none", m: 0, p: 0, pl: 2, borderLeft: "2px solid var(--grid)" }}>
      {history.map((one, index) => (
        <Box component="li" key={index} sx={{ position: "relative", pb: 1, "&::before": { content: '""', position: "absolute", left: -21, top: 6, width: 8, height: 8, borderRadius: "50%", bgcolor: "var(--s-accent)" } }}>
          <span title={moment(one.at)}>{index === 0 ? moment(one.at) : clock(one.at)}</span> <b>{one.what}</b>
          <Box component="span" sx={{ color: "text.secondary", overflowWrap: "anywhere" }}> {told(one.data)}</Box>
        </Box>
      ))}
    </Box>
  );
}
