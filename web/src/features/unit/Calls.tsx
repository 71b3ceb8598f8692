import { Table, TableBody, TableCell, TableContainer, TableHead, TableRow } from "@mui/material";
import type { Shape } from "../../api/client";
import { count } from "../../shared/format";
import { When } from "../../shared/parts";

const COLUMNS = ["output", "call", "state", "status", "try", "server id", "request", "answer", "changed"];

/** Calls to APIs, with what was asked and answered (null where it is masked). */
export function Calls({ run, calls }: { run: string; calls: Shape<"CallShape">[] }) {
  return (
    <TableContainer tabIndex={0} role="region" aria-label={`calls in ${run}`}>
      <Table size="small">
        <TableHead><TableRow>{COLUMNS.map((name) => <TableCell key={name}>{name}</TableCell>)}</TableRow></TableHead>
        <TableBody>
          {calls.map((one) => (
            <TableRow key={one.id}>
              <TableCell className="mono">{one.output}</TableCell>
              <TableCell className="mono">{one.method} {one.path}</TableCell>
              <TableCell>{one.state}{one.reason && `: ${one.reason}`}</TableCell>
              <TableCell>{one.status ?? "–"}</TableCell>
              <TableCell>{count(one.generation + 1)}</TableCell>
              <TableCell className="mono">{one.server_id ?? (one.masked ? "masked" : "–")}</TableCell>
              <TableCell>{one.request ? <details><summary>request</summary><pre>{one.request}</pre></details> : one.masked ? "masked" : "–"}</TableCell>
              <TableCell>{one.answer ? <details><summary>answer</summary><pre>{one.answer}</pre></details> : one.masked ? "masked" : "–"}</TableCell>
              <TableCell><When at={one.changed_at} /></TableCell>
            </TableRow>
          ))}
        </TableBody>
      </Table>
    </TableContainer>
  );
}
