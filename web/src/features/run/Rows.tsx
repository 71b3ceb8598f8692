import { Table, TableBody, TableCell, TableContainer, TableHead, TableRow } from "@mui/material";
import { useQuery } from "@tanstack/react-query";
import { get, type Shape } from "../../api/client";
import { count } from "../../shared/format";
import { Panel, Told } from "../../shared/parts";
import { beat, keyOf } from "./live";

const ASIDE = ["quarantined", "in_doubt", "rolled_back"];

/** Rows of each table, read and written, by what became of their units; the balance says whether all are accounted for. */
export function Rows({ run, state }: { run: string; state: Shape<"RunState"> }) {
  const rows = useQuery({ queryKey: keyOf(run, "rows"), queryFn: () => get("/api/v1/runs/{run}/rows", { run }), refetchInterval: beat(state, 10_000) });
  return (
    <Panel title="Rows, by table and output">
      <Told query={rows}>
        {(found) => (
          <TableContainer tabIndex={0} role="region" aria-label="rows by table" sx={{ maxHeight: 420 }}>
            <Table size="small" stickyHeader>
              <TableHead><TableRow>{["table", "planned", "moved", "held back", "balance"].map((name) => <TableCell key={name} align={name === "table" ? "left" : "right"}>{name}</TableCell>)}</TableRow></TableHead>
              <TableBody>
                {found.source.map((table) => <Line key={`s-${table.table}`} table={table} way="read" />)}
                {found.output.map((table) => <Line key={`o-${table.table}`} table={table} way="written" />)}
              </TableBody>
            </Table>
          </TableContainer>
        )}
      </Told>
    </Panel>
  );
}

function Line({ table, way }: { table: Shape<"TableRowsShape">; way: string }) {
  const held = ASIDE.reduce((sum, state) => sum + (table.by_state[state] ?? 0), 0);
  const balance = table.balances === null ? "" : table.balances ? "✓ adds up" : "✕ does not add up";
  return (
    <TableRow>
      <TableCell><code>{table.table}</code> {way}</TableCell>
      <TableCell align="right">{count(table.planned)}</TableCell>
      <TableCell align="right">{count(table.by_state.done ?? 0)}</TableCell>
      <TableCell align="right">{count(held)}</TableCell>
      <TableCell align="right">{balance}</TableCell>
    </TableRow>
  );
}
