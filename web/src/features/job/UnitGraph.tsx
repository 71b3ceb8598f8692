import { Box } from "@mui/material";
import type { Shape } from "../../api/client";
import { Empty, Panel } from "../../shared/parts";
import { BOX, laidOut, type Edge } from "./graph";

/** From the parent's right side to the child's left one; a second parent by a dashed arc. */
function line({ from, to, also }: Edge): string {
  const [x1, y1, x2, y2] = [from.x + BOX.width, from.y + BOX.height / 2, to.x, to.y + BOX.height / 2];
  if (also && x2 <= x1) {
    const out = Math.max(from.x, to.x) + BOX.width;
    return `M${x1},${y1} C${out + 30},${y1} ${out + 30},${y2} ${to.x + BOX.width},${y2}`;
  }
  const bend = x2 - 14;
  return `M${x1},${y1} H${bend} V${y2} H${x2}`;
}

/** What one unit is: its tables, and by which columns they hang together. */
export function UnitGraph({ job }: { job: Shape<"JobDetailShape"> }) {
  const { nodes, edges, width, height } = laidOut(job.unit ?? []);
  const said = edges.map((edge) => `${edge.to.name} hangs on ${edge.from.name} by ${edge.on}`).join("; ");
  const reference = job.reference ?? [];
  const keys = job.key ?? [];
  return (
    <Panel title="The unit" aside={<span>key <code>{keys.join(", ")}</code>{reference.length > 0 && <>; read beside it: <code>{reference.join(", ")}</code></>}</span>}>
      {nodes.length === 0 ? <Empty>This job names no table.</Empty> : (
        <Box tabIndex={0} role="region" aria-label="tables of the unit" sx={{ overflow: "auto" }}>
          <svg viewBox={`0 0 ${width + 40} ${height}`} role="img" aria-label={`${nodes[0]?.name ?? ""} is the root; ${said}`} style={{ display: "block", width: "100%", minWidth: 0.8 * (width + 40), maxWidth: width + 40 }}>
            {edges.map((edge) => <path key={`${edge.from.name} ${edge.to.name} ${edge.on}`} d={line(edge)} fill="none" stroke={edge.also ? "var(--s-doubt)" : "var(--s-pending)"} strokeDasharray={edge.also ? "4 3" : undefined}><title>{edge.on}</title></path>)}
            {nodes.map((node) => {
              const on = edges.filter((edge) => edge.to === node && !edge.also).map((edge) => edge.on).join(", ");
              return (
                <g key={node.name} transform={`translate(${node.x + 1},${node.y})`}>
                  <title>{node.table}</title>
                  <rect width={BOX.width} height={BOX.height} rx={4} fill="var(--mui-palette-background-default)" stroke="var(--s-accent)" strokeWidth={on ? 1 : 2} />
                  <text x={10} y={17} fontSize={13} fontWeight={600} fill="currentColor">{node.name}</text>
                  <text x={10} y={32} fontSize={11} fill="var(--s-pending)">{on ? `by ${on}` : node.table}</text>
                </g>
              );
            })}
          </svg>
        </Box>
      )}
    </Panel>
  );
}
