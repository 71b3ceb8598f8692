import { Button, Table, TableBody, TableCell, TableContainer, TableHead, TableRow } from "@mui/material";
import { useQuery } from "@tanstack/react-query";
import { Link } from "react-router-dom";
import { get, type Shape } from "../../api/client";
import { count } from "../../shared/format";
import { Find } from "../../shared/Find";
import { Empty, Panel, Told, UnitSign } from "../../shared/parts";
import { holding } from "./since";
import type { Change, Filter } from "./QuarantinePage";

/** Reasons with how many units each has: of one run, or of all. */
export function Groups({ filter, change }: { filter: Filter; change: Change }) {
  const groups = useQuery({
    queryKey: ["quarantine", "groups", filter.run],
    queryFn: (): Promise<Shape<"ReasonShape">[]> =>
      filter.run ? get("/api/v1/runs/{run}/quarantine/reasons", { run: filter.run }) : get("/api/v1/quarantine"),
    refetchInterval: 10_000,
  });
  return (
    <Panel
      title={filter.run ? `Reasons in ${filter.run}` : "Reasons in all runs"}
      aside={filter.run && <Button onClick={() => change({ run: "", reason: "", key: "", unit: "", state: "", since: "" })}>All runs</Button>}
    >
      <Find label="Error contains" value={filter.error} find={(error) => change({ error, unit: "" })} />
      <Told query={groups}>
        {(found) => found.length === 0 ? <Empty>No unit is set aside{filter.run ? " in this run" : ""}.</Empty> : holding(found, filter.error).length === 0 ? <Empty>No reason holds “{filter.error}”.</Empty> : (
          <TableContainer tabIndex={0} role="region" aria-label="reasons">
            <Table size="small">
              <TableHead><TableRow><TableCell>reason</TableCell>{!filter.run && <TableCell>run</TableCell>}<TableCell align="right">units</TableCell></TableRow></TableHead>
              <TableBody>
                {[...holding(found, filter.error)].sort((a, b) => b.units - a.units).map((one) => (
                  <TableRow key={`${one.run} ${one.reason} ${one.step} ${one.state}`} selected={filter.reason === one.reason && filter.run === one.run}>
                    <TableCell sx={{ overflowWrap: "anywhere", minWidth: 180 }}>
                      <Button sx={{ p: 0, textAlign: "left", minWidth: 0 }} onClick={() => change({ run: one.run, reason: one.reason, state: one.state, key: "", unit: "" })}>{one.reason}</Button>
                      <div><UnitSign state={one.state} /> {one.step && <>in <code>{one.step}</code></>}</div>
                    </TableCell>
                    {!filter.run && <TableCell className="mono" sx={{ whiteSpace: "nowrap" }}>{one.run ? <Link to={`/runs/${encodeURIComponent(one.run)}`}>{one.run}</Link> : "–"}</TableCell>}
                    <TableCell align="right"><b>{count(one.units)}</b></TableCell>
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
