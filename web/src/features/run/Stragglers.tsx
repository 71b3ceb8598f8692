import { Box, Stack, Typography } from "@mui/material";
import { useQuery } from "@tanstack/react-query";
import type { Shape } from "../../api/client";
import { clock, count, span } from "../../shared/format";
import { Grid, type Column } from "../../shared/Grid";
import { Empty, Panel, Told, UnitLink } from "../../shared/parts";
import { beat } from "./live";
import { reads } from "./reads";

type Chunk = Shape<"ChunkTimeShape">;

/** Chunks that hang, that wait, and that took the longest for a unit; each named by the units that it begins and ends with. */
export function Stragglers({ run, job, state }: { run: string; job: string; state: Shape<"RunState"> }) {
  const found = useQuery({ ...reads.stragglers(run), refetchInterval: beat(state, 5_000) });
  const columns: Column<Chunk>[] = [
    { name: "units", tight: true, cell: (one) => <><UnitLink job={job} of={one.first} />{one.last !== one.first && <> – <UnitLink job={job} of={one.last} /></>} ({count(one.units)})</> },
    { name: "took", right: true, cell: (one) => span(one.seconds) },
    { name: "each", right: true, cell: (one) => span(one.seconds / Math.max(1, one.units)) },
    { name: "state", tight: true, cell: (one) => `${one.kind === "move" ? "" : `${one.kind}, `}${one.state}${one.attempt > 1 ? `, try ${one.attempt}` : ""}` },
    { name: "since", tight: true, cell: (one) => clock(one.claimed_at) },
    { name: "worker", mono: true, tight: true, cell: (one) => one.owner || "–" },
    { name: "error", wide: 120, cell: (one) => one.error || "–" },
  ];
  return (
    <Panel title="Slowest and stuck" aside={found.data?.typical ? <span>a chunk typically takes {span(found.data.typical)}</span> : undefined} min={290}>
      <Told query={found} lines={6}>
        {(told) => {
          const parts = ([["Stuck", told.stuck, "failed"], ["Waiting to be tried again", told.waiting, "quarantined"], ["Slowest for a unit", told.slowest, ""]] as const).filter(([, rows]) => rows.length > 0);
          if (parts.length === 0) return <Empty>No chunk is done, and none hangs.</Empty>;
          return (
            <Stack sx={{ gap: 1.5 }}>
              {parts.map(([name, rows, colour]) => (
                <div key={name}>
                  <Typography component="h3" sx={{ fontSize: 12, fontWeight: 600 }}>{colour && <Box component="span" aria-hidden="true" sx={{ color: `var(--s-${colour})` }}>! </Box>}{name}</Typography>
                  <Grid label={name} columns={columns} rows={rows} keyOf={(one) => one.id} height={260} />
                </div>
              ))}
            </Stack>
          );
        }}
      </Told>
    </Panel>
  );
}
