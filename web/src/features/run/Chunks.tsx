import { Table, TableBody, TableCell, TableContainer, TableHead, TableRow } from "@mui/material";
import { useQuery } from "@tanstack/react-query";
import { get, type Shape } from "../../api/client";
import { clock, count } from "../../shared/format";
import { Empty, Panel, Told } from "../../shared/parts";
import { beat, keyOf } from "./live";

/** Chunks that are not finished, the most often tried first: what is slow or stuck stands at the top. */
export function Chunks({ run, state }: { run: string; state: Shape<"RunState"> }) {
  const chunks = useQuery({
    queryKey: keyOf(run, "chunks"),
    refetchInterval: beat(state),
    queryFn: async () => {
      const asked = ["claimed", "decided", "released"].map((of) => get("/api/v1/runs/{run}/chunks", { run }, { state: of, limit: 50 }));
      return (await Promise.all(asked)).flatMap((page) => page.items).sort((a, b) => b.attempt - a.attempt);
    },
  });
  return (
    <Panel title="In flight and stuck">
      <Told query={chunks}>
        {(found) => found.length === 0 ? <Empty>No chunk is in flight, and none waits.</Empty> : (
          <TableContainer tabIndex={0} role="region" aria-label="chunks" sx={{ maxHeight: 420 }}>
            <Table size="small" stickyHeader>
              <TableHead><TableRow>{["numbers in the list", "state", "attempt", "worker", "error"].map((name) => <TableCell key={name}>{name}</TableCell>)}</TableRow></TableHead>
              <TableBody>
                {found.map((one) => (
                  <TableRow key={one.id}>
                    <TableCell>{count(one.lo + 1)} – {count(one.hi)}</TableCell>
                    <TableCell>{one.state}{one.not_before ? `, not before ${clock(one.not_before)}` : ""}</TableCell>
                    <TableCell>{one.attempt}</TableCell>
                    <TableCell className="mono">{one.owner || "–"}</TableCell>
                    <TableCell>{one.error || "–"}</TableCell>
                  </TableRow>
                ))}
              </TableBody>
            </Table>
          </TableContainer>
        )}
      </Told>
    </Panel>
  );
}
