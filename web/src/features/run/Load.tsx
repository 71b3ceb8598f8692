import { Box } from "@mui/material";
import { useQuery } from "@tanstack/react-query";
import type { Shape } from "../../api/client";
import { clock, count, duration, rate } from "../../shared/format";
import { Grid, type Column } from "../../shared/Grid";
import { Empty, Panel, Told } from "../../shared/parts";
import { beat } from "./live";
import { reads } from "./reads";

/** Who carried how much: one worker that carries most, or none, is seen at once. */
export function Load({ run, state }: { run: string; state: Shape<"RunState"> }) {
  const load = useQuery({ ...reads.load(run), refetchInterval: beat(state, 5_000) });
  return (
    <Panel title="Load of the workers over the whole run">
      <Told query={load}>
        {(found) => {
          if (found.length === 0) return <Empty>No worker has finished a chunk yet.</Empty>;
          const most = Math.max(...found.map((one) => one.units), 1);
          const columns: Column<Shape<"LoadShape">>[] = [
            { name: "worker", mono: true, tight: true, cell: (one) => one.worker },
            { name: "share", cell: (one) => <Box aria-hidden="true" sx={{ minWidth: 80, height: 8, borderRadius: 1, bgcolor: "var(--bar-rest)" }}><Box style={{ width: `${(one.units / most) * 100}%` }} sx={{ height: 8, borderRadius: 1, bgcolor: "var(--s-accent)" }} /></Box> },
            { name: "units", right: true, cell: (one) => count(one.units) },
            { name: "done", right: true, cell: (one) => count(one.done) },
            { name: "chunks", right: true, cell: (one) => count(one.chunks) },
            { name: "at work", right: true, cell: (one) => duration(one.seconds) },
            { name: "pace", right: true, cell: (one) => rate(one.seconds > 0 ? one.units / one.seconds : null) },
            { name: "first and last", right: true, cell: (one) => `${clock(one.first_at)} – ${clock(one.last_at)}` },
          ];
          return <Grid label="load of the workers" columns={columns} rows={[...found].sort((a, b) => b.units - a.units)} keyOf={(one) => one.worker} height={420} />;
        }}
      </Told>
    </Panel>
  );
}
